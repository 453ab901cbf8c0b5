"""Drawing on a picture: boxes that show on any ground, and captions that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

#: Told apart on grey metal, on each other, and mostly by the colour-blind.
PALETTE: Final = (
    *("#ff5252", "#40c4ff", "#ffd740", "#69f0ae", "#b388ff"),
    *("#ff9100", "#f48fb1", "#18ffff", "#c6ff00", "#bcaaa4"),
)
ALARM, CALM = "#ff5252", "#69f0ae"
#: A smaller picture is enlarged, by a whole factor, until a caption does not hide it.
_SMALLEST_SIDE: Final = 640
_LINE_FRACTION, _FONT_FRACTION = 1 / 400, 1 / 48  # of the longer side
_LONGEST_CAPTION: Final = 60  # characters
_RIM: Final = "#101010"


@dataclass(frozen=True)
class Mark:
    """A box to draw: left, top, right and bottom in pixels of the picture, with its caption."""

    box: tuple[float, float, float, float]
    color: str
    caption: str


def enlarged(picture: Image.Image) -> tuple[Image.Image, int]:
    """Give a copy that can be drawn on, and by which factor it is larger."""
    factor = max(1, -(-_SMALLEST_SIDE // max(picture.size)))
    size = (picture.width * factor, picture.height * factor)
    return (picture.copy() if factor == 1 else picture.resize(size, Image.Resampling.BICUBIC)), factor


def draw_marks(picture: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """Give a copy with the marks, the first ones on top."""
    canvas, factor = enlarged(picture)
    draw = ImageDraw.Draw(canvas)
    line = max(2, round(max(canvas.size) * _LINE_FRACTION))
    for mark in reversed(marks):
        left, top, right, bottom = (side * factor for side in mark.box)
        # Around the box, so that the line hides nothing of what it shows; the rim shows on a ground of its colour.
        box = (left - line, top - line, max(left, right) + line - 1, max(top, bottom) + line - 1)
        rim = (box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1)
        draw.rectangle(rim, outline=_RIM, width=line + 2)
        draw.rectangle(box, outline=mark.color, width=line)
        _write(draw, canvas.size, (box[0], box[1]), mark.caption, mark.color)
    return canvas


def write_caption(picture: Image.Image, text: str, color: str) -> None:
    """Write into the picture's upper left corner."""
    _write(ImageDraw.Draw(picture), picture.size, (0, 0), text, color)


def _write(draw: ImageDraw.ImageDraw, size: tuple[int, int], at: tuple[float, float], text: str, color: str) -> None:
    """Write above a point, or where that would leave the picture, as near as can be inside."""
    font = ImageFont.load_default(max(13, round(max(size) * _FONT_FRACTION)))
    text = text if len(text) <= _LONGEST_CAPTION else f"{text[: _LONGEST_CAPTION - 1]}…"
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    padding = max(2, round((bottom - top) * 0.22))
    width, height = right - left + 2 * padding, bottom - top + 2 * padding
    x = max(0, min(at[0], size[0] - width))
    y = max(0, min(at[1] - height, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + padding - left, y + padding - top), text, fill="#000000", font=font)
