"""Pascal VOC archives: two ways to count pixels, splits in lists, and XML that means harm."""

import pytest

from projects.domain.archives.contents import Kind
from tests.projects.archives.zips import drawn, photo, read, told, voc_page, voc_zip, zipped


def test_the_devkit_counts_from_one_and_the_last_pixel_belongs_to_the_box() -> None:
    images, summary = read(voc_zip({"a.png": [("dent", 1, 1, 48, 36), ("scratch", 5, 6, 5, 6)], "good.png": []}))
    assert (summary.format, summary.images) == ("VOC", 2)
    assert drawn(images["JPEGImages/a.png"]) == [(0, 0.0, 0.0, 48.0, 36.0), (1, 4.0, 5.0, 1.0, 1.0)]
    assert drawn(images["JPEGImages/good.png"]) == []
    assert told(summary) == {}


@pytest.mark.parametrize("zero", ["0", "0.0", "-0"])
def test_one_corner_at_zero_tells_that_all_are_counted_from_zero(zero: str) -> None:
    data = voc_zip({"a.png": [("dent", 5, 6, 10, 20)], "b.png": [("dent", 3, zero, 10, 20)]})
    images, summary = read(data)
    assert drawn(images["JPEGImages/a.png"]) == [(0, 5.0, 6.0, 5.0, 14.0)]
    assert drawn(images["JPEGImages/b.png"]) == [(0, 3.0, 0.0, 7.0, 20.0)]
    assert told(summary) == {"zero_based": 1}


def test_decimals_come_back_to_the_bit() -> None:
    """0.1 + 1 - 1 is another number than 0.1, but not in decimals."""
    images, _ = read(voc_zip({"a.png": [("dent", "1.1", "3.3000000000000003", "11.4", "12.7")]}))
    assert drawn(images["JPEGImages/a.png"]) == [(0, 0.1, 2.3000000000000003, 11.3, 10.4)]


def test_splits_are_in_lists_or_in_folders() -> None:
    lists = {
        "ImageSets/Main/train.txt": "a\n",
        "ImageSets/Main/val.txt": "b\r\n",
        "ImageSets/Main/dent_train.txt": "c 1",
    }
    images, summary = read(voc_zip({"a.png": [], "b.png": [], "c.png": []}, more=lists))
    assert [images[f"JPEGImages/{name}.png"].about.split for name in "abc"] == ["TRAIN", "VALIDATION", ""]
    assert told(summary) == {}
    flat = {"test/a.png": photo("a"), "test/a.xml": voc_page("a.png", [("dent", 1, 1, 5, 5)])}
    images, _ = read(zipped(flat))
    assert (images["test/a.png"].about.split, drawn(images["test/a.png"])) == ("TEST", [(0, 0.0, 0.0, 5.0, 5.0)])


def test_pages_find_their_images_by_place_then_by_the_name_inside() -> None:
    files = {
        "Annotations/one.xml": voc_page("renamed-since.jpg", [("dent", 1, 1, 5, 5)]),
        "Annotations/odd.xml": voc_page("two.png", [("dent", 1, 1, 6, 6)]),
        "Annotations/gone.xml": voc_page("gone.jpg", [("dent", 1, 1, 7, 7)]),
        "Annotations/more/one.xml": voc_page("one.png", []),
        "JPEGImages/one.png": photo("1"),
        "JPEGImages/two.png": photo("2"),
        "JPEGImages/bare.png": photo("3"),
    }
    images, summary = read(zipped(files))
    assert drawn(images["JPEGImages/one.png"]) == [(0, 0.0, 0.0, 5.0, 5.0)]
    assert drawn(images["JPEGImages/two.png"]) == [(0, 0.0, 0.0, 6.0, 6.0)]
    assert images["JPEGImages/bare.png"].labels is None
    assert images["gone.jpg"].entry is None
    assert told(summary) == {"ambiguous_file": 1}


@pytest.mark.parametrize(
    "corners",
    [
        ("nan", 1, 5, 5), ("inf", 1, 5, 5), ("1e308", 1, "1e309", 5), ("", 1, 5, 5), ("x", 1, 5, 5), (9, 9, 2, 2),
        ("1" * 50, 1, 5, 5), ("1e999999999", 1, 5, 5), ("sNaN", 1, 5, 5),
    ],
    ids=lambda corners: str(corners[0])[:6],
)  # fmt: skip
def test_corners_that_are_none(corners: tuple[object, ...]) -> None:
    images, summary = read(voc_zip({"a.png": [("dent", *corners), ("dent", 1, 1, 5, 5)]}))
    assert drawn(images["JPEGImages/a.png"]) == [(0, 0.0, 0.0, 5.0, 5.0)]
    assert told(summary) == {"bad_box": 1}
    assert summary.problems.kinds[Kind.BAD_BOX].references[0].where == "object 1"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "entities": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><annotation><filename>&l9;</filename></annotation>',
    "file": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotation><filename>&f;</filename></annotation>',
    "dtd": '<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
    "open": "<annotation><object>",
    "deep": "<annotation>" + "<a>" * 300_000,
    "encoding": '<?xml version="1.0" encoding="no-such"?><annotation/>',
    "bytes": "\x00\x01\x02",
    "empty": "",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_pages_that_mean_harm_leave_their_image_without_labels(name: str) -> None:
    data = voc_zip(
        {"a.png": [("dent", 1, 1, 5, 5)]}, more={"Annotations/b.xml": HOSTILE[name], "JPEGImages/b.png": photo("b")}
    )
    images, summary = read(data)
    labels = images["JPEGImages/b.png"].labels
    assert labels is not None
    assert (labels.is_read, labels.boxes) == (False, ())
    assert drawn(images["JPEGImages/a.png"]) == [(0, 0.0, 0.0, 5.0, 5.0)]
    assert told(summary) == {"unreadable_labels": 1}


def test_objects_without_a_usable_name_and_too_many_of_them() -> None:
    data = voc_zip({"a.png": [("", 1, 1, 5, 5), ("x" * 101, 1, 1, 5, 5)], "b.png": [("dent", 1, 1, 5, 5)] * 1001})
    images, summary = read(data)
    labels = images["JPEGImages/b.png"].labels
    assert labels is not None
    assert (labels.boxes, labels.box_count) == ((), 1001)
    assert told(summary) == {"dangling_annotation": 2}
