"""The demo's contact sheet, and the count of what was found."""

import io

import numpy as np
import pytest
from PIL import Image

from deploy.demo.gallery import CELL, COLUMNS, PREDICTED, TRUTH, Judged, draw_sheet, tally
from myriad import CocoBox, Found, Prediction

DENT = CocoBox("dent", (100, 100, 40, 40))


def judged(truth: tuple[CocoBox, ...], *finds: Found, size: tuple[int, int] = (640, 480)) -> Judged:
    data = io.BytesIO()
    Image.new("L", size, 90).save(data, "PNG")
    prediction = Prediction(model="m", width=size[0], height=size[1], predictions=finds)
    return Judged("a.jpg", data.getvalue(), truth, prediction)


def find(x: float, *, name: str = "dent", score: float = 0.9) -> Found:
    return Found(name=name, score=score, bbox=(x, 100, 40, 40))


@pytest.mark.parametrize(
    ("finds", "said"),
    [
        ((), "0 of 1 defects found, 0 false alarms."),
        ((find(100),), "1 of 1 defects found, 0 false alarms."),
        ((find(112),), "1 of 1 defects found, 0 false alarms."),  # overlaps by 28 / 52
        ((find(115),), "0 of 1 defects found, 1 false alarm."),  # by 25 / 55
        ((find(300),), "0 of 1 defects found, 1 false alarm."),
        ((find(100, name="scratch"),), "0 of 1 defects found, 1 false alarm."),
        ((find(100), find(101, score=0.8)), "1 of 1 defects found, 1 false alarm."),
    ],
)
def test_find_counts_once_where_it_covers_a_box_of_its_class(finds: tuple[Found, ...], said: str) -> None:
    assert str(tally([judged((DENT,), *finds)])) == said


def test_counts_are_of_all_photographs() -> None:
    counted = tally([judged((DENT,), find(100)), judged((), find(5)), judged((DENT, DENT))])
    assert (counted.found, counted.true, counted.false_alarms) == (1, 3, 1)


def has(picture: Image.Image, color: str) -> bool:
    rgb = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    return bool((np.asarray(picture) == rgb).all(axis=2).any())


def test_truth_and_finds_have_a_colour_each() -> None:
    below = (0, 70, 640, 560)  # without the title, which explains the colours
    both = draw_sheet([judged((DENT,), find(300))], title="A title").crop(below)
    assert (has(both, TRUTH), has(both, PREDICTED)) == (True, True)
    neither = draw_sheet([judged(())], title="A title").crop(below)
    assert (has(neither, TRUTH), has(neither, PREDICTED)) == (False, False)


@pytest.mark.parametrize("size", [(200, 200), (480, 640), (4000, 3000)])
def test_photographs_of_any_size_fit_their_cells(size: tuple[int, int]) -> None:
    sheet = draw_sheet([judged((DENT,), find(100), size=size)] * 7, title="A title that is long " * 20)
    assert COLUMNS * CELL[0] < sheet.width < COLUMNS * (CELL[0] + 20)
    assert 2 * CELL[1] < sheet.height < 2 * CELL[1] + 200
    assert has(sheet, TRUTH)
