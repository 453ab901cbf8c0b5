"""Truth and predictions of one image as shapes of an SVG, in the image's own pixels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from projects.models import Image

if TYPE_CHECKING:
    from training.domain.judging import Place, Verdicts

# On photographs, so the same in light and dark: what is right, missed, a false alarm, of the wrong class.
FOUND, MISSED, ALARM, WRONG = "#16a34a", "#e11d48", "#f59e0b", "#9333ea"
# Color, whether dashed, words.
LEGEND = [
    (FOUND, False, "found"),
    (MISSED, False, "missed"),
    (WRONG, False, "found under a wrong class"),
    (FOUND, True, "right prediction"),
    (ALARM, True, "false alarm"),
    (WRONG, True, "prediction of a wrong class"),
]
# Of the drawing's width: the height of its letters, and the width of one.
_LETTER, _WIDE = 0.04, 0.023


@dataclass(frozen=True)
class Shape:
    """A box, and what is written at it (empty: nothing) from `text_x`, `text_y` on. `dashed`: a prediction."""

    x: float
    y: float
    width: float
    height: float
    color: str
    dashed: bool
    text: str = ""
    text_x: float = 0.0
    text_y: float = 0.0


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    # Height of letters, and width of the light line around them.
    letter: float
    halo: float
    shapes: list[Shape]


def drawing(image: Image, verdicts: "Verdicts", names: list[str]) -> Drawing:
    """What is right is drawn first, so that what is wrong lies on top. `names` are the model's classes."""
    sides = (image.width or 1, image.height or 1)  # a READY image has both
    shapes: list[Shape] = []
    for found, box in verdicts.found:
        shapes.append(_shape(sides, box.place, FOUND))
        shapes.append(_shape(sides, found.place, FOUND, f"{names[found.label]} {found.score:.2f}", dashed=True))
    for found, box in verdicts.wrong:
        shapes.append(_shape(sides, box.place, WRONG, names[box.label]))
        shapes.append(_shape(sides, found.place, WRONG, f"{names[found.label]} {found.score:.2f}", dashed=True))
    shapes.extend(
        _shape(sides, found.place, ALARM, f"{names[found.label]} {found.score:.2f}", dashed=True)
        for found in reversed(verdicts.false_alarms)
    )
    shapes.extend(_shape(sides, box.place, MISSED, names[box.label]) for box in verdicts.missed)
    return Drawing(*sides, _LETTER * sides[0], _LETTER * sides[0] / 6, shapes)


def _shape(sides: tuple[int, int], place: "Place", color: str, text: str = "", *, dashed: bool = False) -> Shape:
    """Predictions carry their text below, truth above; neither leaves the picture."""
    x, y, width, height = place
    letter, long = _LETTER * sides[0], _WIDE * sides[0] * len(text)
    below = y + height + letter if y + height + letter * 1.3 < sides[1] else y + height - letter * 0.3
    above = y - letter * 0.3 if y > letter * 1.3 else y + letter
    text_x = max(0.0, min(x, sides[0] - long))
    return Shape(x, y, width, height, color, dashed, text, round(text_x, 1), round(below if dashed else above, 1))
