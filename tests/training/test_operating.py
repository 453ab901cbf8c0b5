"""What passes, what is rejected, how sure one can be of it, and which score costs least: computed by hand."""

from decimal import Decimal
from math import comb

import pytest

from tests.training.test_judging import image
from training.domain.judging import SCORES, Judged
from training.domain.operating import Point, Prices, cheapest, points, upper_bound


def part(*scores: float, defective: bool) -> Judged:
    """A part in whose image something is found at these scores."""
    return image([[0, 0, 0, 10, 10]] if defective else [], [[0, score, 50, 0, 10, 10] for score in scores])


def test_a_part_is_rejected_by_anything_that_is_found_in_it() -> None:
    found = points(
        [part(0.9, 0.1, defective=True), part(0.4, defective=True), part(defective=True), part(0.3, defective=False)]
        + [part(defective=False)] * 2
    )
    assert [point.score for point in found] == list(SCORES)
    at = {point.score: (point.escaped, point.rejected) for point in found}
    assert (at[0.05], at[0.3], at[0.35], at[0.4], at[0.45], at[0.95]) == (
        (1, 1),
        (1, 1),
        (1, 0),
        (1, 0),
        (2, 0),
        (3, 0),
    )
    assert {(point.defective, point.good) for point in found} == {(3, 3)}


def test_prices_decide_and_of_equals_the_lower_score_wins() -> None:
    found = [Point(0.1, 10, 0, 10, 6), Point(0.2, 10, 1, 10, 2), Point(0.3, 10, 1, 10, 2), Point(0.4, 10, 4, 10, 0)]
    best = {miss: cheapest(found, Prices(Decimal(miss), Decimal(1))).score for miss in ("100", "3", "0.5")}
    assert best["100"] == 0.1  # 6 against 102
    assert best["3"] == 0.2  # 5 against 6 and 12
    assert best["0.5"] == 0.4  # 2 against 2.5
    assert cheapest(found, Prices(Decimal(0), Decimal(0))).score == 0.1


@pytest.mark.parametrize(
    ("count", "total", "share"),
    [(0, 40, 0.0722), (0, 1, 0.95), (0, 59, 0.0495), (1, 10, 0.3942), (3, 20, 0.3437), (5, 5, 1.0), (0, 0, 1.0)],
)
def test_bounds_are_those_of_the_tables(count: int, total: int, share: float) -> None:
    assert upper_bound(count, total) == pytest.approx(share, abs=5e-5)


@pytest.mark.parametrize(("count", "total"), [(0, 7), (2, 9), (17, 60), (59, 60), (40, 3000)])
def test_at_the_bound_so_few_are_seen_in_one_case_of_twenty(count: int, total: int) -> None:
    share = upper_bound(count, total)
    seen = sum(comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count + 1))
    assert seen == pytest.approx(0.05, rel=1e-6)
