"""Which photographs the demo takes, and which of them its model does not see."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.photographs import COUNT, HELD_OUT, divide, from_coco
from deploy.demo.stack import DemoFailed


def write(folder: Path, names: list[str], *, missing: int = 0) -> Path:
    (folder / "images").mkdir()
    for name in names[missing:]:
        (folder / "images" / name).write_bytes(b"pixels")
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    described = {"images": images, "categories": [{"id": 1, "name": "dent"}], "annotations": []}
    (folder / "annotations.json").write_text(json.dumps(described))
    return folder


def entries(count: int, group_of: int = 1) -> list[dict[str, Any]]:
    return [{"file_name": f"{number}.jpg", "group": f"part {number // group_of}"} for number in range(count)]


def test_fifty_are_labelled_and_ten_are_held_out(tmp_path: Path) -> None:
    taken = from_coco(write(tmp_path, [f"{number:03}.jpg" for number in range(200)]))
    assert (len(taken.files), len(taken.learned), len(taken.held_out)) == (60, 50, 10)
    assert {path.name for path in taken.files} == {*taken.learned, *taken.held_out}
    assert from_coco(tmp_path) == taken
    assert max(taken.files).name > "150.jpg"  # not the first of the alphabet, which may all be of one class


@pytest.mark.parametrize(("count", "held_out"), [(59, 9), (12, 2), (4, 1)])
def test_of_fewer_one_in_six_is_held_out(tmp_path: Path, count: int, held_out: int) -> None:
    taken = from_coco(write(tmp_path, [f"{number}.jpg" for number in range(count)]))
    assert (len(taken.learned), len(taken.held_out)) == (count - held_out, held_out)


def test_photographs_of_one_part_stay_together() -> None:
    learned, held_out = divide(entries(COUNT, group_of=3))
    assert len(learned) + len(held_out) == COUNT
    assert 0 < len(held_out) <= HELD_OUT
    parts = [{int(name.removesuffix(".jpg")) // 3 for name in names} for names in (learned, held_out)]
    assert not parts[0] & parts[1]


def test_what_is_not_there_is_not_taken(tmp_path: Path) -> None:
    taken = from_coco(write(tmp_path, [f"{number}.jpg" for number in range(8)], missing=2))
    assert {path.name for path in taken.files} == {f"{number}.jpg" for number in range(2, 8)}


def test_folder_that_is_none_or_too_small_is_said(tmp_path: Path) -> None:
    with pytest.raises(DemoFailed, match="is not a COCO folder: FileNotFoundError"):
        from_coco(tmp_path)
    write(tmp_path, ["1.jpg", "2.jpg", "3.jpg", "4.jpg"], missing=1)
    with pytest.raises(DemoFailed, match="3 of the 4 images named in annotations\\.json are there; 4 are needed"):
        from_coco(tmp_path)
