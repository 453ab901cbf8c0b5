"""The course of a run: its curve stays small and even, and the time left follows the pace."""

import itertools
import math

from training.domain.computing import Report
from training.domain.course import CURVE_POINTS, PACE_SECONDS, Course


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def report(done: float, **losses: float) -> Report:
    return Report(done, 100.0, "step", losses)


def test_curve_is_thinned_evenly() -> None:
    course = Course()
    for step in range(1, 10 * CURVE_POINTS + 1):
        course.take(report(step, boxes=1 / step))

    steps = [step for step, _ in course.curve]
    gaps = {after - before for before, after in itertools.pairwise(steps)}
    assert CURVE_POINTS / 2 <= len(steps) <= CURVE_POINTS
    assert (len(gaps), steps[-1] > 9.5 * CURVE_POINTS) == (1, True)


def test_resumed_curve_goes_on_where_it_ended() -> None:
    course = Course.resumed([[1, {"boxes": 3.0}], [2, {"boxes": 2.0}]])
    for step in (1, 2, 3):
        course.take(report(step, boxes=9.0))
    assert course.curve == [[1, {"boxes": 3.0}], [2, {"boxes": 2.0}], [3, {"boxes": 9.0}]]


def test_what_is_no_number_and_what_has_no_losses_is_left_out() -> None:
    course = Course()
    course.take(report(1))
    course.take(report(2, boxes=math.nan, classes=0.5))
    assert course.curve == [[2, {"classes": 0.5}]]


def test_time_left_follows_the_pace_of_late() -> None:
    clock = Clock()
    course = Course(clock=clock)
    assert course.take(report(10)) is None
    clock.now = 1.0
    assert course.take(report(11)) is None, "too soon to say"
    clock.now = 10.0
    assert course.take(report(20)) == 80
    clock.now = 10.0 + PACE_SECONDS
    assert course.take(report(20 + 2 * PACE_SECONDS)) == math.ceil((80 - 2 * PACE_SECONDS) / 2), "twice as fast now"


def test_standstill_has_no_end_in_sight() -> None:
    clock = Clock()
    course = Course(clock=clock)
    course.take(report(10))
    clock.now = 5.0
    assert course.take(report(10)) is None
