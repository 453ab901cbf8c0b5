"""YOLO archives: names in YAML, fractions in text files."""

import pytest

from projects.domain.archives.contents import ArchiveRefused, Kind
from tests.projects.archives.zips import drawn, photo, read, told, yolo_zip, zipped

LINE = "1 0.5 0.5 0.25 0.5"
SIDES = (1, 0.375, 0.25, 0.25, 0.5)


def test_boxes_stay_fractions_and_an_empty_file_means_a_good_image() -> None:
    images, summary = read(yolo_zip({"a.png": f"{LINE}\n\n0 .1 .1 .1 .1 0.93\n", "good.png": " \n", "bare.png": None}))
    assert (summary.format, [label.name for label in summary.classes]) == ("YOLO", ["dent", "scratch"])
    labels = images["images/train/a.png"].labels
    assert labels is not None
    assert labels.relative
    assert drawn(images["images/train/a.png"])[0] == SIDES
    assert [box.where for box in labels.boxes] == ["line 1", "line 3"]
    assert drawn(images["images/train/good.png"]) == []
    assert images["images/train/bare.png"].labels is None
    assert {image.about.split for image in images.values()} == {"TRAIN"}
    assert told(summary) == {}


NAMES = {
    "list": "names: [dent, scratch]",
    "block": "train: ../train/images\nnc: 2\nnames:\n- dent\n- scratch\n",
    "numbered": "names:\n  1: scratch\n  0: dent\n",
    "quoted": "names: ['dent', \"scratch\"]\nroboflow: {url: x, version: 3}\n",
}


@pytest.mark.parametrize("form", sorted(NAMES))
def test_names_in_each_form(form: str) -> None:
    images, summary = read(yolo_zip({"a.png": LINE}, names=NAMES[form]))
    (box,) = drawn(images["images/train/a.png"])
    assert summary.classes[box[0]].name == "scratch"


def test_names_are_texts_whatever_yaml_makes_of_them() -> None:
    _, summary = read(yolo_zip({"a.png": LINE}, names="names: [no, 1.10, 2026-01-01, null, 0x1F]"))
    assert [label.name for label in summary.classes] == ["no", "1.10", "2026-01-01", "null", "0x1F"]


LAYOUTS = {
    "ultralytics": ("images/val/a.png", "labels/val/a.txt", "VALIDATION"),
    "roboflow": ("valid/images/a.png", "valid/labels/a.txt", "VALIDATION"),
    "rooted": ("set/images/test/a.png", "set/labels/test/a.txt", "TEST"),
    "beside": ("obj_train_data/a.png", "obj_train_data/a.txt", ""),
    "flat": ("a.png", "labels/a.txt", ""),
}


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_each_layout(name: str) -> None:
    image, labels, split = LAYOUTS[name]
    images, summary = read(zipped({"data.yaml": NAMES["list"], image: photo("a"), labels: LINE}))
    assert drawn(images[image]) == [SIDES]
    assert images[image].about.split == split
    assert told(summary) == {}


def test_names_in_a_list_of_their_own() -> None:
    files = {"classes.txt": "dent\nscratch\n", "images/a.png": photo("a"), "labels/a.txt": LINE}
    _, summary = read(zipped(files))
    assert [label.name for label in summary.classes] == ["dent", "scratch"]


def test_polygons_give_their_box() -> None:
    images, summary = read(yolo_zip({"a.png": "0 0.1 0.2 0.5 0.2 0.5 0.6 0.3 0.7"}))
    assert drawn(images["images/train/a.png"]) == [(0, 0.1, 0.2, 0.4, pytest.approx(0.5))]
    assert told(summary) == {"box_of_polygon": 1}


@pytest.mark.parametrize(
    "line",
    ["0 nan 0.5 0.1 0.1", "0 inf 0.5 0.1 0.1", "0 1e308 0.5 1e308 0.1", "0 0.5 0.5 0 0.1", "0 0.5 0.5 -1 0.1", "0",
     "0 0.5", "0 a b c d", "0 1 2 3 4 5 6 7", f"0 {'9' * 400} 0.5 0.1 0.1"],
    ids=lambda line: line[:12].replace(" ", "_"),
)  # fmt: skip
def test_lines_that_are_no_boxes(line: str) -> None:
    images, summary = read(yolo_zip({"a.png": f"{line}\n{LINE}"}))
    assert drawn(images["images/train/a.png"]) == [SIDES]
    assert told(summary) == {"bad_box": 1}
    assert summary.problems.kinds[Kind.BAD_BOX].references[0].where == "line 1"


@pytest.mark.parametrize("number", ["2", "-1", "1.0", "x", "99999999999", "²"])
def test_classes_without_a_name(number: str) -> None:
    images, summary = read(yolo_zip({"a.png": f"{number} 0.5 0.5 0.1 0.1"}))
    assert drawn(images["images/train/a.png"]) == []
    assert told(summary) == {"dangling_annotation": 1}


def test_label_files_that_are_no_text_or_too_long_or_have_no_image() -> None:
    more = {
        "images/train/b.png": photo("b"),
        "labels/train/b.txt": b"\xff\xfe0",
        "images/train/c.png": photo("c"),
        "labels/train/c.txt": f"{LINE}\n" * 1001,
        "labels/train/gone.txt": LINE,
    }
    images, summary = read(yolo_zip({"a.png": LINE}, more=more))
    assert [images[f"images/train/{name}.png"].labels.is_read for name in "abc"] == [True, False, True]  # type: ignore[union-attr]  # all three have labels
    assert images["images/train/c.png"].labels.box_count == 1001  # type: ignore[union-attr]  # as above
    assert images["gone"].entry is None
    assert {"gone.png", "gone.jpg"} < set(images["gone"].filenames)
    assert told(summary) == {"unreadable_labels": 1}


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
HOSTILE = {
    "aliases": f"{LAUGHS}names: *a29\n",
    "objects": "names: !!python/object/apply:os.system ['echo no']\nx: [",
    "open": "names: [a, b",
    "deep": "names: " + "[" * 5000,
    "large": "names: [a]\n#" + "x" * 300_000,
    "nested": "names: [[a], {b: c}]",
    "negative": "names: {-1: a}",
    "word": "names: {first: a}",
    "long": f"names: [{'x' * 101}]",
    "many": f"names: [{', '.join(f'c{n}' for n in range(1001))}]",
    "keys": "? [a, b]\n: c\nnames: [a]",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_yaml_that_means_harm_is_refused(name: str) -> None:
    with pytest.raises(ArchiveRefused) as caught:
        read(yolo_zip({"a.png": LINE}, names=HOSTILE[name]))
    assert caught.value.error["code"] == "archive_class_names"
    assert caught.value.error["message"].startswith("data.yaml ")


def test_labels_without_names_are_refused() -> None:
    with pytest.raises(ArchiveRefused) as caught:
        read(zipped({"images/a.png": photo("a"), "labels/a.txt": LINE}))
    assert caught.value.error["code"] == "archive_class_names"


def test_a_label_file_is_of_one_image() -> None:
    """Of the one that it stands for; where that are several, of none."""
    files = {
        "data.yaml": NAMES["list"],
        "images/001.png": photo("1"),
        "camB/001.png": photo("2"),
        "labels/001.txt": LINE,
    }
    images, summary = read(zipped(files))
    assert drawn(images["images/001.png"]) == [SIDES]
    assert images["camB/001.png"].labels is None
    assert told(summary) == {"ambiguous_file": 1}
    assert "camB/001.png" in summary.problems.kinds[Kind.AMBIGUOUS_FILE].references[0].detail

    files = {"data.yaml": NAMES["list"], "a.png": photo("1"), "a.jpg": photo("2", "JPEG"), "a.txt": LINE}
    images, summary = read(zipped(files))
    assert [image.labels for image in images.values()] == [None, None]
    assert told(summary) == {"ambiguous_file": 1}


def test_lists_of_images_tell_the_split() -> None:
    files = {"obj.names": "dent\nscratch", "train.txt": "data/obj/a.png\ndata/obj/c.png\n", "test.txt": "b.png\nc.png"}
    files |= {f"obj/{name}.txt": LINE for name in "abc"}
    images, _ = read(zipped(files | {f"obj/{name}.png": photo(name) for name in "abc"}))
    assert [images[f"obj/{name}.png"].about.split for name in "abc"] == ["TRAIN", "TEST", ""]


def test_labels_whose_names_begin_as_a_licence_does_are_labels() -> None:
    files = {"data.yaml": NAMES["list"], "readme.txt": "hello", "LICENSE": "MIT", "README.roboflow.txt": "made"}
    files |= {
        "license_plate.png": photo("1"),
        "license_plate.txt": LINE,
        "readme-2.png": photo("2"),
        "readme-2.txt": "",
    }
    images, summary = read(zipped(files))
    assert drawn(images["license_plate.png"]) == [SIDES]
    assert drawn(images["readme-2.png"]) == []
    assert told(summary) == {}
