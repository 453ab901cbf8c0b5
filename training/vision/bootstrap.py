"""Intervals by resampling images: what the same model might score on other images of the same kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.vision.metrics import ClassMatches, score_matches


@dataclass(frozen=True)
class Interval:
    """A value and the bounds that hold it with the asked confidence; all nan where it cannot be computed."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float] | None:
        """None where there is nothing to measure: JSON has no nan."""
        values = {"value": self.value, "low": self.low, "high": self.high}
        known = np.isfinite(list(values.values())).all()
        return {name: round(float(value), 6) for name, value in values.items()} if known else None


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
    point, drawn = score_matches(matches), []
    for weights in draw_weights(len(matches[0].boxes), seed=seed, resamples=resamples):
        check()
        drawn.append(score_matches(matches, weights))

    def interval(value: float, values: list[float]) -> Interval:
        return bound_value(value, values, confidence)

    return ScoreIntervals(
        ap=interval(point.ap, [scores.ap for scores in drawn]),
        ap50=interval(point.ap50, [scores.ap50 for scores in drawn]),
        class_ap=[interval(v, [s.class_ap[k] for s in drawn]) for k, v in enumerate(point.class_ap)],
        class_ap50=[interval(v, [s.class_ap50[k] for s in drawn]) for k, v in enumerate(point.class_ap50)],
    )


def draw_weights(images: int, *, seed: int, resamples: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each of the images is in a resample, for each resample; none of no images."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples if images else 0):
        yield np.bincount(rng.integers(0, images, images), minlength=images).astype(float)


def bound_value(value: float, drawn: Sequence[float], confidence: float = 0.95) -> Interval:
    """The value with percentiles of what the resamples gave; those where it is nan do not count."""
    known = np.array([other for other in drawn if not np.isnan(other)])
    if np.isnan(value) or not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
