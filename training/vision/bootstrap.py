"""Intervals by resampling images: what the same model might score on other images of the same kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.vision.metrics import ClassMatches, score_matches


@dataclass(frozen=True)
class Interval:
    """A value and the bounds that hold it with the asked confidence; all nan where it cannot be computed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ScoreIntervals:
    ap: Interval
    ap50: Interval
    class_ap: list[Interval]
    class_ap50: list[Interval]


def estimate_intervals(
    matches: Sequence[ClassMatches],
    *,
    seed: int,
    resamples: int = 500,
    confidence: float = 0.95,
    check: Callable[[], None] = lambda: None,
) -> ScoreIntervals:
    """Percentile bootstrap over images. A resample that has no box of a class does not count for that class.

    `check` is called before each resample; what it raises ends the work.
    """
    rng = np.random.default_rng(seed)
    images = len(matches[0].boxes)
    point = score_matches(matches)
    drawn = []
    for _ in range(resamples if images else 0):
        check()
        counts = np.bincount(rng.integers(0, images, images), minlength=images)
        drawn.append(score_matches(matches, counts.astype(float)))

    def interval(value: float, values: list[float]) -> Interval:
        known = np.array([v for v in values if not np.isnan(v)])
        if np.isnan(value) or not len(known):
            return Interval(value, float("nan"), float("nan"))
        low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
        return Interval(value, float(low), float(high))

    return ScoreIntervals(
        ap=interval(point.ap, [scores.ap for scores in drawn]),
        ap50=interval(point.ap50, [scores.ap50 for scores in drawn]),
        class_ap=[interval(v, [s.class_ap[k] for s in drawn]) for k, v in enumerate(point.class_ap)],
        class_ap50=[interval(v, [s.class_ap50[k] for s in drawn]) for k, v in enumerate(point.class_ap50)],
    )
