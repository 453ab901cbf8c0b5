import hashlib
import os
from pathlib import Path

import pytest

from myriad import ValidationFailed
from myriad.upload.files import LocalFile, hashed, scan


def test_folder_is_scanned_with_all_below_it_in_order(folder: Path) -> None:
    found = scan([folder])

    assert [file.name for file in found.files] == [
        *(f"{n}.jpg" for n in range(8)),
        "line 2/8.png",
        "line 2/9.JPG",
    ]
    assert {file.content_type for file in found.files} == {"image/jpeg", "image/png"}
    assert found.skipped == {}


def test_what_is_no_photograph_is_left_out_with_the_reason(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.jpg"
    outside.write_bytes(b"not of this folder")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.jpg").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.jpg").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.jpg").write_bytes(b"x")
    (folder / "out.jpg").symlink_to(outside)
    (folder / "other").symlink_to(tmp_path / "other")
    (folder / "broken.jpg").symlink_to(folder / "nothing.jpg")
    (folder / "within.jpg").symlink_to(folder / "0.jpg")
    os.mkfifo(folder / "pipe.jpg")

    found = scan([folder])

    assert found.skipped == {
        ".hidden.jpg": "hidden",
        "broken.jpg": "No such file or directory",
        "notes.txt": "not an image by its name",
        "out.jpg": "link that leads out of the folder",
        "pipe.jpg": "not a regular file",
    }
    assert [file.name for file in found.files if file.name.startswith(("o", "w"))] == ["within.jpg"]


def test_file_named_by_itself_is_taken_whatever_it_is_called(folder: Path) -> None:
    (folder / "scan").write_bytes(b"x")
    found = scan([folder / "scan", folder / "3.jpg"])
    assert [(file.name, file.content_type) for file in found.files] == [
        ("3.jpg", "image/jpeg"),
        ("scan", "application/octet-stream"),
    ]


def test_path_that_does_not_exist_is_an_error(folder: Path) -> None:
    with pytest.raises(ValidationFailed) as raised:
        scan([folder, folder / "nowhere"])
    assert raised.value.code == "no_such_path"


def test_hashes_come_in_order_and_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    files = scan([folder]).files
    (folder / "1.jpg").unlink()

    results = list(hashed(files, threads=2))

    assert [file.name for file, _ in results] == [file.name for file in files]
    assert isinstance(results[1][1], FileNotFoundError)
    assert results[0][1] == hashlib.sha256((folder / "0.jpg").read_bytes()).hexdigest()


def test_change_of_a_file_is_seen(folder: Path) -> None:
    (file,) = scan([folder / "0.jpg"]).files
    assert not file.has_changed()
    (folder / "0.jpg").write_bytes(b"another")
    assert file.has_changed()
    (folder / "0.jpg").unlink()
    assert file.has_changed()
    assert LocalFile(folder / "0.jpg", "0.jpg", 0, 0).has_changed()
