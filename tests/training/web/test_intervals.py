"""What a measure is worth, in words and as a drawing."""

import pytest

from training.domain.paired import Difference
from training.web.intervals import class_figures, drawn, gap

Figures = tuple[float | None, float | None, float | None]


def measured(boxes: int, value: float | None, low: float | None = None, high: float | None = None) -> dict[str, object]:
    ap50 = {"value": value, "low": low, "high": high}
    return {"name": "pit mark", "images": boxes, "boxes": boxes, "ap50": ap50, "ap": None}


@pytest.mark.parametrize(
    ("boxes", "figures", "words", "tone"),
    [
        (4, (0.4, 0.1, 0.8), "4 boxes, too few to tell: 0.10–0.80.", "info"),
        (4, (0.8, 0.7, 0.9), "4 boxes, too few to tell", "info"),
        (60, (0.5, 0.2, 0.7), "60 boxes, too few to tell: 0.20–0.70.", "info"),
        (1, (0.1, 0.0, 0.3), "1 box: hardly found, 0.00–0.30.", "warning"),
        (60, (0.1, 0.0, 0.3), "60 boxes: hardly found", "warning"),
        (60, (0.7, 0.6, 0.8), "60 boxes: found well, 0.60–0.80.", ""),
        (60, (0.5, 0.4, 0.6), "60 boxes: found in part, 0.40–0.60.", ""),
        (0, (None, None, None), "0 boxes: nothing to judge it by.", "info"),
    ],
)
def test_a_class_is_told_in_words(boxes: int, figures: Figures, words: str, tone: str) -> None:
    told = class_figures(measured(boxes, *figures), measure="ap50", thing="box")
    assert told.words.startswith(words)
    assert told.tone == tone


def test_an_interval_is_drawn_within_its_bar() -> None:
    found = drawn({"value": 0.5, "low": -0.01, "high": 1.0})
    assert found
    assert (found.value_at, found.low_at, found.high_at) == ("50.00", "0.00", "100.00")
    assert drawn(None) is None
    assert drawn({"value": None, "low": None, "high": None}) is None


def test_a_gap_is_drawn_about_the_middle_and_told_only_where_zero_is_outside() -> None:
    better = gap("dent", Difference(0.4, 0.6, 0.2, 0.1, 0.7))
    assert better
    assert (better.low_at, better.value_at, better.high_at, better.verdict) == ("60.00", "70.00", "100.00", "better")
    verdicts = [gap("dent", Difference(0.4, 0.4 + value, value, value - 0.1, value + 0.1)) for value in (-0.2, 0.05)]
    assert [found and found.verdict for found in verdicts] == ["worse", ""]
    assert gap("dent", Difference(None, None, None, None, None)) is None
