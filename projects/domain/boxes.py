"""Reading what a labeler says of one image: what is wrong with it, in words, or boxes that lie inside the image.

Written by hand, not as a serializer, as `projects.domain.items` is: a call brings thousands of boxes.
"""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from projects.domain.items import ItemRefused, is_filename, shown

# Of one image. A thousand defects are a texture, and want another kind of project.
MAX_BOXES = 1000
# Pixels. A defect thinner than one cannot be seen in this image; one of less than two rarely is meant.
MIN_SIDE = 1.0
FAINT_SIDE = 2.0
# What rounding adds to an edge; to cut that off would make another box of one that is sent back as it was read.
_SLACK = 1e-6
_PIXELS = "Give x, y, width and height in pixels of the upright image, from its upper left corner, as COCO does."


@dataclass(frozen=True)
class NewBox:
    """A box as its labeler draws it. `label` is a name or an id of the label book."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class NewAnnotation:
    """What is said of one image, which is named by `image` or, without that, by `filename`.

    Either its boxes, still as they were given (what is wrong with one is told by the image's name); or, where those
    are None, the one class that the whole image shows, `label`, a name or an id; None for a good image.
    """

    image: uuid.UUID | None
    filename: str
    boxes: Sequence[object] | None
    label: str | None = None
    if_number: int | None = None


def parse_annotation(given: object) -> NewAnnotation:
    """Raises ItemRefused with a code, a message that names the image, and a hint."""
    if not isinstance(given, dict):
        hint = "See the schema for what an item holds (GET /api/v1/schema)."
        raise ItemRefused("validation_failed", "An item must be a JSON object.", hint)
    image, filename = _image(given)
    name = filename or str(image)
    if_number = _if_number(name, given.get("if_number"))
    if given.get("boxes") is None and "class" in given:
        return NewAnnotation(image, filename, boxes=None, label=_label(name, given["class"]), if_number=if_number)
    if "class" in given:
        raise ItemRefused(
            "validation_failed",
            f"{name}: both `boxes` and `class` are given.",
            "Give `boxes` in a detection project, and `class` in one of another kind.",
        )
    boxes = given.get("boxes")
    if not isinstance(boxes, list):
        raise ItemRefused(
            "validation_failed",
            f"{name}: `boxes` must be a list.",
            "Give an empty list to say that the image shows no defect.",
        )
    if len(boxes) > MAX_BOXES:
        raise ItemRefused(
            "too_many_boxes",
            f"{name}: {len(boxes)} boxes are more than the {MAX_BOXES} an image may have.",
            "Draw one box around defects that lie close together.",
        )
    return NewAnnotation(image, filename, boxes=boxes, if_number=if_number)


def parse_box(given: object, *, where: str) -> NewBox:
    """Raises ItemRefused with a code, a message that begins with `where`, and a hint."""
    if not isinstance(given, dict):
        raise ItemRefused("bad_box", f"{where} must be a JSON object.", 'Give {"class": …, "bbox": [x, y, w, h]}.')
    label, bbox = given.get("class"), given.get("bbox")
    if not isinstance(label, str):
        raise ItemRefused("unknown_class", f"{where} has no `class`.", "Give a name or an id of the label book.")
    sides = [_finite(side) for side in bbox] if isinstance(bbox, list) and len(bbox) == 4 else []
    if not sides or None in sides:
        raise ItemRefused("bad_box", f"{where}: {shown(bbox)} is not a box of four finite numbers.", _PIXELS)
    x, y, width, height = (side or 0.0 for side in sides)
    if width <= 0 or height <= 0:
        raise ItemRefused(
            "bad_box",
            f"{where}: a box of {width:g} × {height:g} pixels is inverted or empty.",
            f"{_PIXELS} Width and height are positive; the last two numbers are not the lower right corner.",
        )
    return NewBox(label, x, y, width, height)


def fitted(box: NewBox, *, where: str, width: int, height: int) -> tuple[NewBox, bool]:
    """The part of the box inside an image of this size, and whether that is less than the whole.

    Raises ItemRefused when nothing is left, or less than one pixel.
    """
    x, across, cut_x = _within(box.x, box.width, width)
    y, down, cut_y = _within(box.y, box.height, height)
    if across <= 0 or down <= 0:
        raise ItemRefused(
            "bad_box",
            f"{where} lies outside the image, which has {width} × {height} pixels.",
            f"{_PIXELS} An image that was turned by its EXIF data has its sides exchanged.",
        )
    if min(across, down) < MIN_SIDE:
        raise ItemRefused(
            "too_small",
            f"{where} has {across:g} × {down:g} pixels inside the image; {MIN_SIDE:g} × {MIN_SIDE:g} is the least.",
            "Give pixels, not fractions of the image's size, and draw the box around the whole defect.",
        )
    return NewBox(box.label, x, y, across, down), cut_x or cut_y


def _within(start: float, length: float, limit: int) -> tuple[float, float, bool]:
    """Start and length of what lies between 0 and `limit`, and whether something was cut off."""
    end, cut = start + length, False
    if start < 0:
        start, length, cut = 0.0, end, True
    if end > limit + _SLACK:
        length, cut = limit - start, True
    return start + 0.0, length, cut  # + 0.0 turns -0.0, which JSON tells from 0.0


def _image(given: Mapping[str, object]) -> tuple[uuid.UUID | None, str]:
    """The id and the filename that an item gives, of which one may be missing."""
    image, filename = given.get("image"), given.get("filename")
    if image is None and filename is None:
        raise ItemRefused(
            "validation_failed", "An item names no image.", "Give the image's id as `image`, or its `filename`."
        )
    if filename is not None and not is_filename(filename):
        _unknown(filename)
    name = filename if isinstance(filename, str) else ""
    if image is None:
        return None, name
    try:
        return uuid.UUID(image if isinstance(image, str) else ""), name
    except ValueError:
        _unknown(image)


def _unknown(given: object) -> NoReturn:
    raise ItemRefused(
        "unknown_image", f"There is no image {shown(given)}.", "Give an id or a filename of the project's images."
    )


def _if_number(name: str, given: object) -> int | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given >= 0):
        return given
    raise ItemRefused(
        "validation_failed",
        f"{name}: `if_number` must be a whole number.",
        "Give the number of the annotation that you corrected, or 0 if the image had none.",
    )


def _label(name: str, given: object) -> str | None:
    if given is None or isinstance(given, str):
        return given
    raise ItemRefused(
        "unknown_class",
        f"{name}: `class` must be a text, or null.",
        "Give a name or an id of the label book, or null where the image shows no defect.",
    )


def _finite(given: object) -> float | None:
    if not isinstance(given, (int, float)) or isinstance(given, bool):
        return None
    try:
        side = float(given)
    except OverflowError:
        return None
    return side if math.isfinite(side) else None
