"""Measures from 0 to 1 with their intervals: as a drawing, and in words of what they are worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.domain.paired import Difference

# With fewer boxes or images, or an interval that is wider, a figure tells little.
FEW = 10
WIDE = 0.4
# What is found less often than this, even at the best, is hardly found; at the worst, well found.
HARDLY, WELL = 0.5, 0.6
_PLURALS = {"box": "boxes", "image": "images"}


@dataclass(frozen=True)
class Drawn:
    """A value and its 95 % interval; the `…_at` are where they stand, in percent of the drawing's width."""

    value: float
    low: float
    high: float
    value_at: str
    low_at: str
    high_at: str


@dataclass(frozen=True)
class Gap:
    """How much more one scores than another, and its interval; the `…_at` are percent of a drawing of -0.5 to 0.5."""

    name: str
    before: float
    after: float
    value: float
    low: float
    high: float
    value_at: str
    low_at: str
    high_at: str

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or nothing where the interval holds zero."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else ""


@dataclass(frozen=True)
class ClassFigures:
    """What is known of one class: `figure` is its main measure (the kind of model says which), `count` of what.

    `tone` is "", "info" (too few to tell) or "warning" (hardly found).
    """

    name: str
    count: int
    figure: Drawn | None
    words: str
    tone: str
    # Of what is told to be of this class, the share that is; of a classifier alone.
    precision: Drawn | None = None


def drawn(measure: Mapping[str, Any] | None) -> Drawn | None:
    """None where there was nothing to measure."""
    if not measure or measure.get("value") is None:
        return None
    value, low, high = (float(measure[name]) for name in ("value", "low", "high"))
    return Drawn(value, low, high, *(_at(place) for place in (value, low, high)))


def gap(name: str, difference: "Difference") -> Gap | None:
    """None where there was nothing to measure."""
    a, b, value = difference.a, difference.b, difference.value
    low, high = difference.low, difference.high
    if a is None or b is None or value is None or low is None or high is None:
        return None
    return Gap(name, a, b, value, low, high, *(_at(0.5 + place) for place in (value, low, high)))


def class_figures(measured: Mapping[str, Any], *, measure: str, thing: str) -> ClassFigures:
    """Of one entry of an evaluation's `classes`, by its `measure`; `thing` is what is counted: `box` or `image`."""
    figure, count = drawn(measured[measure]), int(measured[_PLURALS[thing]])
    words, tone = _worth(figure, count, thing)
    return ClassFigures(measured["name"], count, figure, words, tone, drawn(measured.get("precision")))


def percent(share: float) -> str:
    """With one digit behind the point where that says something."""
    return f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}"


def _at(place: float) -> str:
    """Percent of the drawing's width."""
    return f"{100 * min(max(place, 0.0), 1.0):.2f}"


def _worth(figures: Drawn | None, found: int, thing: str) -> tuple[str, str]:
    count = f"1 {thing}" if found == 1 else f"{found} {_PLURALS[thing]}"
    if figures is None:
        return f"{count}: nothing to judge it by. Label some, on different images.", "info"
    between = f"{figures.low:.2f}–{figures.high:.2f}"
    if figures.high < HARDLY:
        return f"{count}: hardly found, {between}. Look at what it misses; more examples help most.", "warning"
    if found < FEW or figures.high - figures.low > WIDE:
        return f"{count}, too few to tell: {between}. More of them make the figure firm.", "info"
    if figures.low >= WELL:
        return f"{count}: found well, {between}.", ""
    return f"{count}: found in part, {between}.", ""
