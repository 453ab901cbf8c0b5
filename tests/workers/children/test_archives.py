"""Archives in the real child: what is read and given out, and what a hostile archive costs."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from projects.domain.archives.contents import MIB, ArchiveImage, ArchiveRefused, ReadingStopped, Summary
from tests.projects.archives import hostile
from tests.projects.archives.zips import coco_zip, photo, read, voc_zip, yolo_zip
from workers.children import archives
from workers.children.archives import LIMITS, ArchiveChild, _Sitting
from workers.children.process import ChildNotStarted, Patience

LIAR = Path(__file__).with_name("programs") / "lying_archives.py"
GOOD = coco_zip({"a.png": [("dent", 1, 2, 3, 4)], "b.png": []}, more={"images/c.png": b"no image"})


@contextmanager
def opened(folder: Path, data: bytes, child: ArchiveChild | None = None) -> Iterator[_Sitting]:
    """The archive, open in a child; what it keeps lies in `folder`."""
    path = folder / "archive.zip"
    path.write_bytes(data)
    with (child or ArchiveChild()).open(path, scratch=folder, should_stop=lambda: False) as archive:
        assert isinstance(archive, _Sitting)
        yield archive


def read_in_child(folder: Path, data: bytes, child: ArchiveChild | None = None) -> tuple[list[ArchiveImage], Summary]:
    with opened(folder, data, child) as archive:
        summary = archive.read(on_progress=lambda done, total: None)
        return list(archive.images()), summary


def commented(comment: bytes) -> bytes:
    """A good archive that asks the lying program for something."""
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [GOOD, voc_zip({"a.png": [("dent", 1, 2, 3, 4)]}), yolo_zip({"a.png": "0 0.5 0.5 0.1 0.1"})],
    ids=["coco", "voc", "yolo"],
)
def test_the_child_reads_what_is_read_without_one(tmp_path: Path, data: bytes) -> None:
    images, summary = read_in_child(tmp_path, data)
    expected, same = read(data)
    assert images == list(expected.values())
    assert (summary.format, summary.classes, summary.problems.kinds) == (same.format, same.classes, same.problems.kinds)


def test_entries_come_out_as_they_went_in_and_nothing_else_is_written(tmp_path: Path) -> None:
    with opened(tmp_path, hostile.slipping()) as archive:
        told: list[tuple[int, int]] = []
        archive.read(on_progress=lambda done, total: told.append((done, total)))
        (image,) = archive.images()
        assert image.entry is not None
        assert archive.extract(image.entry, tmp_path / "out")
        assert hashlib.sha256((tmp_path / "out").read_bytes()).hexdigest() == image.sha256
        assert not archive.extract(9999, tmp_path / "none")
        assert archive.extract(image.entry, tmp_path / "again")
    assert told == [(0, 1)]
    names = {path.name for path in tmp_path.rglob("*")}
    assert names == {"archive.zip", "archive-lines", "archive-summary", "out", "none", "again"}
    assert not (tmp_path.parent / "evil.png").exists()


@pytest.mark.parametrize("name", sorted(hostile.REFUSED))
def test_a_hostile_archive_is_refused_and_costs_little(tmp_path: Path, name: str) -> None:
    make, code = hostile.REFUSED[name]
    with opened(tmp_path, make()) as archive:
        with pytest.raises(ArchiveRefused) as caught:
            archive.read(on_progress=lambda done, total: None)
        assert caught.value.error["code"] == code
        assert archive._child is not None, "it lives: none of these makes it fail"
        assert archive._child.peak_resident_bytes() < 300 * MIB


def test_json_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    """Many small lists take twenty times the memory of their text."""
    document = '{"images":[],"annotations":[' + "[]," * (3 * MIB) + "[]]}"
    data = coco_zip({}, more={"large.json": document})
    assert read_in_child(tmp_path, data)[1].images == 0
    limits = replace(LIMITS, address_space=256 * MIB)
    with pytest.raises(ArchiveRefused) as caught:
        read_in_child(tmp_path, data, ArchiveChild(limits=limits))
    assert caught.value.error["code"] == "archive_memory"


LIES = {
    b"!SEGV": "archive_crashed", b"!LINE": "archive_crashed", b"!COUNT": "archive_crashed",
    b"!EMPTY": "archive_crashed", b"!REFUSAL": "archive_crashed", b"!NOTHING": "archive_crashed",
    b"!MEMORY": "archive_memory",
}  # fmt: skip


@pytest.mark.parametrize("lie", sorted(LIES), ids=lambda lie: lie.decode().strip("!").lower())
def test_a_child_taken_over_is_not_believed(tmp_path: Path, lie: bytes) -> None:
    limits = replace(LIMITS, address_space=512 * MIB, resident=200 * MIB)
    child = ArchiveChild(program=LIAR, limits=limits)
    assert read_in_child(tmp_path, commented(b"!HONEST"), child)[1].images == 3
    with pytest.raises(ArchiveRefused) as caught:
        read_in_child(tmp_path, commented(lie), child)
    assert caught.value.error["code"] == LIES[lie]


def test_a_child_that_does_nothing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_READING", Patience(computing=60, idle=0.5, overall=60))
    with pytest.raises(ArchiveRefused) as caught:
        read_in_child(tmp_path, commented(b"!SLEEP"), ArchiveChild(program=LIAR))
    assert caught.value.error["code"] == "archive_timeout"


def test_an_entry_that_kills_the_child_cannot_be_read_and_the_next_can(tmp_path: Path) -> None:
    with opened(tmp_path, GOOD, ArchiveChild(program=LIAR)) as archive:
        archive.read(on_progress=lambda done, total: None)
        (first, *_) = archive.images()
        assert first.entry is not None
        assert not archive.extract(1000, tmp_path / "out")
        assert archive.extract(first.entry, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == photo("a.png")


def test_reading_stops_when_the_job_must(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(commented(b"!SLEEP"))
    child = ArchiveChild(program=LIAR)
    with child.open(path, scratch=tmp_path, should_stop=lambda: True) as archive, pytest.raises(ReadingStopped):
        archive.read(on_progress=lambda done, total: None)


def test_a_program_that_cannot_start_is_not_the_archive_s_fault(tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('no such library')")
    with pytest.raises(ChildNotStarted):
        read_in_child(tmp_path, GOOD, ArchiveChild(program=program))
