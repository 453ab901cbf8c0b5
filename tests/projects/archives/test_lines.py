"""What the child says of an archive is read back whole, and believed only as far as it can be."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from projects.domain.archives.lines import image_line, image_of, summary_line, summary_of
from tests.projects.archives.zips import coco_zip, photo, read, yolo_zip

ARCHIVE = coco_zip(
    {"a.png": [("dent", 1, 2, 3, 4)], "good.png": []},
    more={"images/b.png": "no", "images/c.png": photo("c"), "x.exe": ""},
)


def test_images_and_summary_come_back_whole() -> None:
    for data in (ARCHIVE, yolo_zip({"a.png": "0 0.5 0.5 0.1 0.1"}, more={"labels/gone.txt": ""})):
        images, summary = read(data)
        for image in images.values():
            line = image_line(image)
            assert line.endswith(b"\n")
            assert image_of(line, classes=2) == image
        again = summary_of(summary_line(summary))
        assert again.problems.kinds == summary.problems.kinds
        assert (again.format, again.classes, again.images) == (summary.format, summary.classes, summary.images)


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(said: dict[str, Any]) -> None:
        *way, last = path
        for step in way:
            said = said[step]
        said[last] = to

    return change


LIES = {
    "entry": _set("entry", to=-1), "entry text": _set("entry", to="1"), "bool": _set("entry", to=True),
    "sha": _set("sha256", to="A" * 64), "no sha": _set("sha256", to=""), "size": _set("size", to=2**40),
    "no size": _set("size", to=0), "path": _set("path", to="x" * 1001), "nul": _set("path", to="a\x00"),
    "names": _set("filenames", to=[]), "name": _set("filenames", to=["x" * 256]),
    "split": _set("about", "split", to="ALL"),
    "metadata": _set("about", "metadata", to={"a": {}}), "label": _set("labels", "boxes", 0, "label", to=2),
    "nan": _set("labels", "boxes", 0, "x", to=float("nan")), "far": _set("labels", "boxes", 0, "x", to=1e300),
    "flat": _set("labels", "boxes", 0, "width", to=0), "count": _set("labels", "box_count", to=0),
    "boxes": _set("labels", "boxes", to=[{"label": 0, "x": 1, "y": 1, "width": 1, "height": 1, "where": ""}] * 1001),
    "box": _set("labels", "boxes", 0, to=[]), "labels": _set("labels", to=5), "trouble": _set("trouble", to=["x"]),
    "about": _set("about", to=None), "where": _set("labels", "boxes", 0, "where", to="x" * 81),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_line_that_lies_is_nonsense(name: str) -> None:
    images, _ = read(ARCHIVE)
    said = json.loads(image_line(images["images/a.png"]))
    assert image_of(json.dumps(said).encode(), classes=2)
    LIES[name](said)
    with pytest.raises(ValueError, match=r".+"):
        image_of(json.dumps(said).encode(), classes=2)


SUMMARY_LIES = {
    "format": _set("format", to="TIFF"), "twice": _set("classes", 1, "name", to="dent"),
    "class": _set("classes", 0, "name", to="x" * 101), "kind": _set("problems", to={"made_up": {}}),
    "count": _set("problems", "unreadable_image", "count", to=-1),
    "references": _set("problems", "unreadable_image", "references", to=[dict.fromkeys(("file", "where"), "")] * 101),
    "images": _set("images", to=None),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SUMMARY_LIES))
def test_a_summary_that_lies_is_nonsense(name: str) -> None:
    _, summary = read(ARCHIVE)
    said = json.loads(summary_line(summary))
    SUMMARY_LIES[name](said)
    with pytest.raises(ValueError, match=r".+"):
        summary_of(json.dumps(said).encode())


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{", b"7", b"[" * 100_000, b"{}", b"\xff"],
    ids=["empty", "list", "open", "number", "deep", "bare", "bytes"],
)
def test_what_is_no_object_is_nonsense(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        image_of(line, classes=1)
