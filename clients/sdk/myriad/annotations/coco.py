"""Reading boxes from a COCO file."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myriad.errors import ValidationFailed

Bbox = tuple[float, float, float, float]


@dataclass(frozen=True)
class CocoBox:
    """A box of one category: left, top, width and height in pixels."""

    category: str
    bbox: Bbox


@dataclass(frozen=True)
class CocoImage:
    """One image of the file; without boxes the file says that nothing is wrong with it.

    `crowds` counts its regions marked `iscrowd`, which are left out: they are no boxes of one thing. `trouble` says
    what makes its annotations unusable, where something does.
    """

    file_name: str
    width: int | None = None
    height: int | None = None
    boxes: tuple[CocoBox, ...] = ()
    crowds: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class CocoAnnotations:
    """What a COCO file says of its images."""

    images: tuple[CocoImage, ...]

    @property
    def crowds(self) -> int:
        return sum(image.crowds for image in self.images)

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of the categories that have a box, in order of their first."""
        return tuple(dict.fromkeys(box.category for image in self.images for box in image.boxes))

    def only(self, file_names: Iterable[str]) -> CocoAnnotations:
        """Keep the images of these names."""
        wanted = set(file_names)
        return CocoAnnotations(tuple(image for image in self.images if image.file_name in wanted))


def read_coco_annotations(path: str | os.PathLike[str]) -> CocoAnnotations:
    """Read images, categories and boxes of a COCO file of detections.

    Raises `ValidationFailed` that names the entry if it is no such file, or if its parts do not fit together. What is
    wrong with the boxes of one image is that image's `trouble`.
    """
    document = _document(path)
    categories = {entry["id"]: str(entry["name"]) for entry in _entries(path, document, "categories", ("id", "name"))}
    images = {entry["id"]: entry for entry in _entries(path, document, "images", ("id", "file_name"))}
    boxes: dict[Any, list[CocoBox]] = {image_id: [] for image_id in images}
    troubles: dict[Any, str] = {}
    crowds: Counter[Any] = Counter()
    for entry in _entries(path, document, "annotations", ("image_id", "category_id")):
        name = f"annotation {entry.get('id', '?')}"
        if entry["image_id"] not in images:
            raise _bad(path, f"{name} is of image {entry['image_id']}, which `images` does not have")
        if entry["category_id"] not in categories:
            raise _bad(path, f"{name} has category {entry['category_id']}, which `categories` does not have")
        if entry.get("iscrowd"):
            crowds[entry["image_id"]] += 1
        elif (bbox := _bbox(entry.get("bbox"))) is not None:
            boxes[entry["image_id"]].append(CocoBox(categories[entry["category_id"]], bbox))
        else:
            troubles.setdefault(entry["image_id"], f"the `bbox` of {name} is not four finite numbers")
    return CocoAnnotations(
        tuple(
            _image(entry, tuple(boxes[key]), crowds=crowds[key], trouble=troubles.get(key, ""))
            for key, entry in images.items()
        )
    )


def _image(entry: Mapping[str, Any], boxes: tuple[CocoBox, ...], *, crowds: int, trouble: str) -> CocoImage:
    width, height = entry.get("width"), entry.get("height")
    return CocoImage(
        file_name=str(entry["file_name"]).replace("\\", "/"),
        width=width if isinstance(width, int) else None,
        height=height if isinstance(height, int) else None,
        boxes=boxes,
        crowds=crowds,
        trouble=trouble,
    )


def _document(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}", "Check the path.") from None
    except (ValueError, RecursionError):
        raise _bad(path, "is not JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise _bad(path, "is not a JSON object")
    return document


def _entries(
    path: str | os.PathLike[str], document: Mapping[str, Any], part: str, needed: tuple[str, ...]
) -> list[Mapping[str, Any]]:
    entries = document.get(part)
    if not isinstance(entries, list):
        raise _bad(path, f"has no list `{part}`")
    seen = set()
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise _bad(path, f"entry {place} of `{part}` is not an object")
        for name in needed:
            if not isinstance(entry.get(name), (str, int)):
                raise _bad(path, f"entry {place} of `{part}` has no `{name}`")
        if "id" in needed and entry["id"] in seen:
            raise _bad(path, f"`{part}` has the id {entry['id']} twice")
        seen.add(entry.get("id"))
    return entries


def _bbox(given: Any) -> Bbox | None:
    if not isinstance(given, list) or len(given) != 4:
        return None
    if not all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in given):
        return None
    try:
        x, y, width, height = map(float, given)
    except OverflowError:
        return None
    return (x, y, width, height) if all(map(math.isfinite, (x, y, width, height))) else None


def _bad(path: str | os.PathLike[str], what: str, hint: str = "") -> ValidationFailed:
    standard = "It needs the lists `images`, `categories` and `annotations` of COCO's object detection."
    return ValidationFailed(f"{os.fspath(path)}: {what}.", code="bad_coco", hint=hint or standard)
