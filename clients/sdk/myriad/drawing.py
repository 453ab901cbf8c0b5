"""Drawing boxes on pictures: `pip install 'myriad[draw]'`, which brings Pillow.

Importing this module without Pillow raises a `MyriadError` that says so.
"""

from __future__ import annotations

import colorsys
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from myriad.errors import MyriadError, ValidationFailed
from myriad.resources.predictions import Prediction

try:
    from PIL import Image, ImageDraw, ImageFont, ImageOps
except ImportError:
    raise MyriadError(
        "Drawing on pictures needs Pillow, which is not installed.",
        code="no_pillow",
        hint="Install it with: pip install 'myriad[draw]'.",
    ) from None

# Told apart on grey metal, on each other, and mostly by the colour-blind.
_PALETTE = (
    *("#ff5252", "#40c4ff", "#ffd740", "#69f0ae", "#b388ff"),
    *("#ff9100", "#f48fb1", "#18ffff", "#c6ff00", "#bcaaa4"),
)
_OTHERS = "#e0e0e0"
# A smaller picture is enlarged, by a whole factor, until a label does not hide it.
_SMALLEST_SIDE = 640
# Sizes that follow from the picture's longer side, so that it looks the same whatever its pixels.
_LINE_FRACTION, _FONT_FRACTION = 1 / 400, 1 / 48
# How many labels may stand above one another over a box, or below it.
_ROWS = 4

_Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Mark:
    """A box to draw: `bbox` is left, top, width and height in pixels, `color` is #rrggbb; `label` may be empty."""

    bbox: Sequence[float]
    color: str
    label: str = ""


def class_colors(names: Iterable[str]) -> dict[str, str]:
    """Give each class its colour, the same at every call with the same names in the same order."""
    colors: dict[str, str] = {}
    for name in names:
        colors.setdefault(name, _color(len(colors)))
    return colors


def open_picture(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """Read a picture, upright and in 8-bit RGB, as the boxes of the service are meant.

    Raises `ValidationFailed` if it cannot be read.
    """
    name = "The picture" if isinstance(source, bytes) else os.fspath(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            return _as_rgb(ImageOps.exif_transpose(opened))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValidationFailed(
            f"{name} cannot be opened: {error}.", code="unreadable", hint="Give a JPEG, PNG, BMP, TIFF or WebP file."
        ) from None


def draw_prediction(picture: Image.Image, prediction: Prediction, colors: Mapping[str, str]) -> Image.Image:
    """Draw what a model found, each box with its class and score; see `class_colors`."""
    marks = [
        Mark(found.bbox, colors.get(found.name, _OTHERS), f"{found.name} {found.score:.2f}")
        for found in prediction.predictions
    ]
    return draw_marks(picture, marks)


def draw_marks(picture: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """Give a copy of the picture with the marks; a small picture is enlarged.

    The first marks lie on top, and their labels get the best places.
    """
    factor = max(1, -(-_SMALLEST_SIDE // max(picture.size)))
    size = (picture.width * factor, picture.height * factor)
    canvas = picture.convert("RGB") if factor == 1 else picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    if canvas is picture:
        canvas = picture.copy()
    line = max(2, round(max(size) * _LINE_FRACTION))
    draw = ImageDraw.Draw(canvas)
    boxes = [_outline(mark, factor, line, size) for mark in marks]
    for mark, box in reversed(list(zip(marks, boxes, strict=True))):  # of two in one place, the first is seen
        _draw_box(draw, box, mark.color, line)
    labels = _Labels(draw, size, boxes)
    for mark, box in zip(marks, boxes, strict=True):
        if mark.label:
            labels.add(box, mark.label, mark.color)
    return canvas


def save_picture(picture: Image.Image, target: str | os.PathLike[str]) -> Path:
    """Save it in the format of the name's ending; raise `ValidationFailed` where that does not work."""
    path = Path(target)
    check_target(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except OSError as error:
        raise ValidationFailed(
            f"{path} cannot be written: {error.strerror or error}.",
            code="unwritable",
            hint="Check the folder, its rights and the space on the disk.",
        ) from None
    return path


def check_target(target: str | os.PathLike[str]) -> None:
    """Raise `ValidationFailed` unless the name's ending is one of a format that can be written."""
    ending = Path(target).suffix.lower()
    if Image.registered_extensions().get(ending) not in Image.SAVE:
        raise ValidationFailed(
            f"{os.fspath(target)} does not end like a picture.", code="bad_target", hint="Use .png or .jpg."
        )


class _Labels:
    """Places labels where they hide neither each other nor, if it can be helped, a box."""

    def __init__(self, draw: ImageDraw.ImageDraw, size: tuple[int, int], boxes: Sequence[_Rectangle]) -> None:
        self._draw = draw
        self._size = size
        self._boxes = boxes
        self._font = ImageFont.load_default(max(13, round(max(size) * _FONT_FRACTION)))
        self._taken: list[_Rectangle] = []

    def add(self, box: _Rectangle, text: str, color: str) -> None:
        left, top, right, bottom = self._draw.textbbox((0, 0), text, font=self._font)
        padding = max(2, round((bottom - top) * 0.22))
        place = self._place(box, right - left + 2 * padding, bottom - top + 2 * padding)
        self._taken.append(place)
        self._draw.rectangle(place, fill=color)
        at = (place[0] + padding - left, place[1] + padding - top)
        self._draw.text(at, text, fill=_ink_on(color), font=self._font)

    def _place(self, box: _Rectangle, width: float, height: float) -> _Rectangle:
        left, top, right, bottom = box
        corners = [
            *((left, top - height), (right - width, top - height), (left, bottom), (right - width, bottom)),
            *((right, top), (left - width, top), (left, top), (left, bottom - height)),
        ]
        for row in range(2, _ROWS + 1):  # in a crowd, farther off
            corners += [(left, top - row * height), (left, bottom + (row - 1) * height)]
        places = [self._inside((x, y, x + width, y + height)) for x, y in corners]
        free = [place for place in places if not any(_overlap(place, other) for other in self._taken)]
        clear = [place for place in free if not any(_overlap(place, other) for other in self._boxes)]
        return next(iter(clear or free or places))

    def _inside(self, place: _Rectangle) -> _Rectangle:
        """Move a label that would stick out into the picture."""
        left, top, right, bottom = place
        x = min(0.0, self._size[0] - 1 - right) or max(0.0, -left)
        y = min(0.0, self._size[1] - 1 - bottom) or max(0.0, -top)
        return left + x, top + y, right + x, bottom + y


def _outline(mark: Mark, factor: int, line: int, size: tuple[int, int]) -> _Rectangle:
    """Give the rectangle around the box, far enough outside that line and rim hide nothing of what it shows.

    At the picture's edge there is no outside; there the line is the outermost that can be seen.
    """
    x, y, width, height = (side * factor for side in mark.bbox)
    rim = _rim(line)
    margin = line + rim
    left, top = max(rim, x - margin), max(rim, y - margin)
    right = min(size[0] - 1 - rim, x + width - 1 + margin)
    bottom = min(size[1] - 1 - rim, y + height - 1 + margin)
    return left, top, max(left, right), max(top, bottom)


def _draw_box(draw: ImageDraw.ImageDraw, box: _Rectangle, color: str, line: int) -> None:
    # A dark rim on both sides shows the line on a background of its own colour.
    rim = _rim(line)
    left, top, right, bottom = box
    draw.rectangle((left - rim, top - rim, right + rim, bottom + rim), outline="#101010", width=line + 2 * rim)
    draw.rectangle(box, outline=color, width=line)


def _rim(line: int) -> int:
    return max(1, line // 2)


def _overlap(one: _Rectangle, other: _Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ink_on(color: str) -> str:
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else "#ffffff"


def _color(place: int) -> str:
    if place < len(_PALETTE):
        return _PALETTE[place]
    # Steps of the golden angle: however many there are, neighbours differ.
    shares = colorsys.hls_to_rgb(place * 0.618034 % 1.0, 0.62, 0.85)
    return "#" + "".join(f"{round(share * 255):02x}" for share in shares)


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        # 16 bits a pixel and more: what is shown is the span that the picture uses.
        low, high = picture.getextrema()
        span = max(float(high) - float(low), 1.0)  # type: ignore[arg-type]  # one band: a pair of numbers
        picture = picture.convert("F").point(lambda value: (value - float(low)) * (255.0 / span))  # type: ignore[arg-type]  # as above
    return picture.convert("RGB")
