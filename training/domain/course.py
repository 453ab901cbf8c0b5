"""The course of a run as its customer watches it: how long it will take, and how the losses went."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.domain.computing import Report

# Points of a curve: enough for a picture, little for a row.
CURVE_POINTS = 200
# Seconds of the past by which the pace is judged, and the least that says anything.
PACE_SECONDS, LEAST_SECONDS = 30.0, 2.0


@dataclass
class Course:
    """Takes in reports, oldest first. `curve` is `[[step, {loss: value}]]`, thinned evenly, as `Run.curve` keeps it."""

    curve: list[list[Any]] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    # Of the newest report.
    total: float = 1
    _seen: deque[tuple[float, float]] = field(default_factory=deque)
    _stride: int = 1
    _passed: int = 0

    @classmethod
    def resumed(cls, curve: Sequence[list[Any]], *, clock: Callable[[], float] = time.monotonic) -> "Course":
        """Goes on with the curve of an earlier attempt."""
        return cls(curve=list(curve), clock=clock)

    def take(self, report: Report) -> int | None:
        """Adds what the report says; seconds until the end at the present pace, None while that is unknown."""
        self.total = report.total
        if report.losses:
            self._draw(round(report.done), dict(report.losses))
        return self._eta(report)

    def _draw(self, step: int, losses: dict[str, float]) -> None:
        # What a resumed attempt computes again, it computes to the same losses.
        if self.curve and step <= self.curve[-1][0]:
            return
        self._passed += 1
        if self._passed % self._stride:
            return
        # JSON knows no infinity; a loss that left the numbers is the engine's to refuse.
        self.curve.append([step, {name: value for name, value in losses.items() if math.isfinite(value)}])
        if len(self.curve) > CURVE_POINTS:
            self.curve[:] = self.curve[1::2]
            self._stride *= 2

    def _eta(self, report: Report) -> int | None:
        now = self.clock()
        self._seen.append((now, report.done))
        while now - self._seen[0][0] > PACE_SECONDS:
            self._seen.popleft()
        began, done = self._seen[0]
        if now - began < LEAST_SECONDS or report.done <= done:
            return None
        return math.ceil((report.total - report.done) * (now - began) / (report.done - done))
