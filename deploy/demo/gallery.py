"""The photographs that were held out, on one picture: the truth in one colour, what the model found in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from myriad import CocoBox, Found, Prediction
from myriad.drawing import Mark, draw_marks, open_picture

TRUTH, PREDICTED, PAPER, INK = "#2ee6a6", "#ff6db3", "#16181c", "#f2f2f2"
COLUMNS: Final = 5
CELL: Final = (640, 480)
CAPTION, HEADER, GAP = 30, 64, 8
# A find counts where it covers the true box this well (intersection over union), and is of its class.
OVERLAP = 0.5


@dataclass(frozen=True)
class Judged:
    """One photograph: its bytes, its true boxes, and what the model found."""

    name: str
    data: bytes
    truth: tuple[CocoBox, ...]
    prediction: Prediction


@dataclass(frozen=True)
class Tally:
    """How many of the true boxes were found, and how many finds are of nothing."""

    found: int
    true: int
    false_alarms: int

    def __str__(self) -> str:
        return f"{self.found} of {self.true} defects found, {_alarms(self.false_alarms)}."


def tally(judged: Sequence[Judged]) -> Tally:
    """Counts over all photographs; each true box is found once at most, by the best find first."""
    found = sum(_hits(one) for one in judged)
    finds = sum(len(one.prediction.predictions) for one in judged)
    return Tally(found=found, true=sum(len(one.truth) for one in judged), false_alarms=finds - found)


def draw_sheet(judged: Sequence[Judged], *, title: str) -> Image.Image:
    """All photographs in rows of five under a title that says which colour is which."""
    columns, rows = min(COLUMNS, len(judged)), -(-len(judged) // COLUMNS)
    step = (CELL[0] + GAP, CELL[1] + CAPTION + GAP)
    sheet = Image.new("RGB", (columns * step[0] + GAP, HEADER + rows * step[1] + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_header(draw, title, sheet.width)
    font = ImageFont.load_default(20)
    for place, one in enumerate(judged):
        x, y = GAP + place % COLUMNS * step[0], HEADER + place // COLUMNS * step[1]
        cell = ImageOps.contain(_drawn(one), CELL, Image.Resampling.LANCZOS)
        sheet.paste(cell, (x + (CELL[0] - cell.width) // 2, y))
        draw.text((x + 4, y + CELL[1] + 3), _caption(one), fill=INK, font=font)
    return sheet


def _drawn(one: Judged) -> Image.Image:
    """The photograph at the size of its cell, so that lines and labels are as large in each."""
    picture = open_picture(one.data)
    scale = CELL[0] / max(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    marks = [
        Mark([side * scale for side in find.bbox], PREDICTED, f"{find.name} {find.score:.2f}")
        for find in one.prediction.predictions
    ]
    marks += [Mark([side * scale for side in box.bbox], TRUTH, box.category) for box in one.truth]
    return draw_marks(picture, marks)


def _draw_header(draw: ImageDraw.ImageDraw, title: str, width: int) -> None:
    small, large = ImageFont.load_default(20), ImageFont.load_default(26)
    if draw.textlength(title, font=large) > width - 420:
        large = small
    draw.text((GAP, 18), title, fill=INK, font=large)
    x = width - 300.0
    for color, words in ((TRUTH, "truth"), (PREDICTED, "predicted")):
        draw.rectangle((x, 22, x + 24, 42), outline=color, width=4)
        draw.text((x + 32, 20), words, fill=color, font=small)
        x += 130


def _caption(one: Judged) -> str:
    hits, finds = _hits(one), len(one.prediction.predictions)
    if not one.truth:
        return f"{one.name}: good, " + (_alarms(finds) if finds else "and found good")
    return f"{one.name}: {hits} of {len(one.truth)} found, {_alarms(finds - hits)}"


def _alarms(count: int) -> str:
    return f"{count} false alarm" if count == 1 else f"{count} false alarms"


def _hits(one: Judged) -> int:
    free = list(one.truth)
    hits = 0
    for find in sorted(one.prediction.predictions, key=lambda find: -find.score):
        fitting = [box for box in free if box.category == find.name and _overlap(box, find) >= OVERLAP]
        if fitting:
            free.remove(max(fitting, key=lambda box: _overlap(box, find)))
            hits += 1
    return hits


def _overlap(box: CocoBox, find: Found) -> float:
    """Intersection over union."""
    one, other = box.bbox, find.bbox
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
