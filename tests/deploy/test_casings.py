"""The casing generator: repeatable photographs, boxes that fit what they name, a COCO folder others can read."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from deploy.demo.casings import LABELS, Box, Casing, contact_sheet, generate, write_coco
from deploy.demo.casings.__main__ import main

SMALL = (320, 240)


@pytest.fixture(scope="module")
def sixty() -> list[Casing]:
    return [generate(seed=0, index=index, size=SMALL) for index in range(60)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("casings"), count=8, seed=4, size=SMALL).parent


def edges(box: Box) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    return int(box.x), int(box.y), int(box.x + box.width), int(box.y + box.height)


def change(*, seed: int, index: int, size: tuple[int, int]) -> tuple[Casing, npt.NDArray[np.int_]]:
    """A photograph and by how many grey levels its damage changed each pixel."""
    damaged = generate(seed=seed, index=index, size=size)
    sound = generate(seed=seed, index=index, size=size, damaged=False)
    assert sound.boxes == ()
    assert sound.metadata == damaged.metadata
    difference = np.abs(np.asarray(damaged.image).astype(int) - np.asarray(sound.image).astype(int))
    return damaged, difference.max(axis=2)


def test_same_seed_and_index_give_same_bytes() -> None:
    alone = generate(seed=7, index=5, size=SMALL)
    for index in (4, 6):
        generate(seed=7, index=index, size=SMALL)
    again = generate(seed=7, index=5, size=SMALL)
    assert alone.image.tobytes() == again.image.tobytes()
    assert (alone.boxes, alone.metadata) == (again.boxes, again.metadata)


def test_another_seed_or_index_gives_another_photograph() -> None:
    pictures = {generate(seed=seed, index=index, size=SMALL).image.tobytes() for seed in (0, 1) for index in (0, 1, 2)}
    assert len(pictures) == 6


def test_picture_has_the_size_asked_for() -> None:
    casing = generate(seed=0, index=0)
    assert (casing.image.size, casing.image.mode) == ((640, 480), "RGB")


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (240, 320)])
def test_damage_changes_the_picture_inside_its_boxes_only(size: tuple[int, int]) -> None:
    for index in range(6):
        casing, changed = change(seed=1, index=index, size=size)
        for box in casing.boxes:
            left, top, right, bottom = edges(box)
            changed[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = 0  # the lens spreads it a little
        assert changed.max() <= 5


def test_boxes_are_tight() -> None:
    """On each side the outermost pixels that visibly changed are at most 3 pixels inside the box."""
    for index in range(8):
        casing, changed = change(seed=1, index=index, size=(640, 480))
        for box in casing.boxes:
            left, top, right, bottom = edges(box)
            visible = changed[top:bottom, left:right] >= 3
            rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
            slack = (rows[0], bottom - top - 1 - rows[-1], columns[0], right - left - 1 - columns[-1])
            assert max(slack) <= 3, (index, box)


def test_every_box_shows_something() -> None:
    for index in range(12):
        casing, changed = change(seed=2, index=index, size=SMALL)
        for box in casing.boxes:
            left, top, right, bottom = edges(box)
            assert changed[top:bottom, left:right].max() >= 6, (index, box)


def test_boxes_lie_inside_the_picture(sixty: list[Casing]) -> None:
    for casing in sixty:
        for box in casing.boxes:
            left, top, right, bottom = edges(box)
            assert 0 <= left <= right - 3 <= SMALL[0] - 3
            assert 0 <= top <= bottom - 3 <= SMALL[1] - 3


def test_sixty_show_all_classes_and_some_good_parts(sixty: list[Casing]) -> None:
    labels = Counter(box.label for casing in sixty for box in casing.boxes)
    assert set(labels) == set(LABELS)
    assert min(labels.values()) >= 8
    good = sum(not casing.boxes for casing in sixty)
    assert 8 <= good <= 20


def test_one_part_has_at_most_two_photographs_that_agree_about_it(sixty: list[Casing]) -> None:
    groups: dict[object, list[Casing]] = {}
    for casing in sixty:
        groups.setdefault(casing.metadata["group"], []).append(casing)
    sizes = Counter(len(casings) for casings in groups.values())
    assert set(sizes) == {1, 2}
    for casings in groups.values():
        assert all(casing.metadata == casings[0].metadata for casing in casings)
        assert len({casing.image.tobytes() for casing in casings}) == len(casings)
        assert len({tuple(box.label for box in casing.boxes) for casing in casings}) == 1


def test_metadata_is_flat_and_names_the_slices(sixty: list[Casing]) -> None:
    keys = {"camera", "line", "shift", "lot", "finish", "colour", "serial", "group"}
    assert all(set(casing.metadata) == keys for casing in sixty)
    assert {casing.metadata["camera"] for casing in sixty} == {1, 2, 3, 4}
    assert {casing.metadata["finish"] for casing in sixty} == {"brushed", "anodised", "satin"}


@pytest.mark.parametrize("size", [(32, 32), (33, 97), (64, 40)])
def test_tiny_pictures_work(size: tuple[int, int]) -> None:
    for index in range(8):
        casing = generate(seed=3, index=index, size=size)
        assert casing.image.size == size
        for box in casing.boxes:
            left, top, right, bottom = edges(box)
            assert 0 <= left <= right - 3 <= size[0] - 3
            assert 0 <= top <= bottom - 3 <= size[1] - 3


@pytest.mark.parametrize("size", [(0, 480), (640, -1), (31, 200), (640, 5000)])
def test_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"size must be \(width, height\), each 32 to 4096 pixels, got"):
        generate(seed=0, index=0, size=size)


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_negative_seed_or_index_is_refused(seed: int, index: int) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        generate(seed=seed, index=index)


def test_coco_file_is_consistent(folder: Path) -> None:
    document: dict[str, list[dict[str, Any]]] = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    assert {"info", "licenses", "categories", "images", "annotations"} == set(document)
    for table in ("licenses", "categories", "images", "annotations"):
        ids = [row["id"] for row in document[table]]
        assert ids
        assert len(ids) == len(set(ids))
    images = {row["id"]: row for row in document["images"]}
    assert tuple(row["name"] for row in document["categories"]) == LABELS
    assert all({"group", "camera", "line", "lot", "shift", "finish", "serial"} <= set(row) for row in images.values())
    for row in document["annotations"]:
        image, (x, y, width, height) = images[row["image_id"]], row["bbox"]
        assert 1 <= row["category_id"] <= len(LABELS)
        assert x >= 0
        assert y >= 0
        assert x + width <= image["width"]
        assert y + height <= image["height"]
        assert (row["area"], row["iscrowd"]) == (width * height, 0)


def test_coco_images_are_the_photographs(folder: Path) -> None:
    rows = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))["images"]
    assert [row["file_name"] for row in rows] == [f"casing_{number:04d}.jpg" for number in range(1, 9)]
    for index, row in enumerate(rows):
        with Image.open(folder / "images" / row["file_name"]) as stored:
            assert (stored.format, stored.size) == ("JPEG", (row["width"], row["height"]))
            drawn = np.asarray(generate(seed=4, index=index, size=SMALL).image).astype(int)
            assert np.abs(np.asarray(stored) - drawn).mean() < 3


def test_photographs_carry_exif_to_be_stripped(folder: Path) -> None:
    with Image.open(folder / "images" / "casing_0001.jpg") as stored:
        exif = stored.getexif()
        assert exif[0x0110] == "LineScout 5"
        assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 0.0)
        assert exif.get_ifd(0x8769)[0xA431].startswith("LS5-")


def test_writing_twice_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_coco(tmp_path, count=8, seed=4, size=SMALL)
    for path in sorted(folder.rglob("*.*")):
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes()


def test_empty_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        write_coco(tmp_path / "none", count=0, seed=0)
    assert not (tmp_path / "none").exists()


def test_command_writes_folder_and_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["--count", "3", "--size", "160x120", "--out", str(tmp_path / "set"), "--sheet", str(sheet)]
    assert main(arguments) == 0
    assert "3/3 photographs" in capsys.readouterr().out
    assert len(list((tmp_path / "set" / "images").glob("*.jpg"))) == 3
    with Image.open(sheet) as picture:
        assert picture.size == (3 * 320, 240)


def test_command_explains_a_bad_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "8x8", "--out", str(tmp_path / "set")]) == 2
    assert "32 to 4096 pixels" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--size", "wide", "--out", str(tmp_path / "set")])
    assert "'wide' is not WIDTHxHEIGHT" in capsys.readouterr().err


def test_empty_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one photograph"):
        contact_sheet([])
