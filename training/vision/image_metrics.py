"""How good models of whole images are, each figure with the bounds that hold it with 95 % confidence.

Shares (how many of so many) have Wilson's score interval ("Probable inference, the law of succession, and statistical
inference", 1927): none of twenty is not none of all. All else is resampled over images. Intervals are nan where there
is nothing to measure.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from training.vision.bootstrap import Interval, bound_value, draw_weights

BINS = 10  # of the calibration error, of equal width
LEAST_PROBABILITY = 1e-7
Vector = npt.NDArray[np.floating]
Statistic = Callable[[Vector], float]  # of the weights (n,) of images


@dataclass(frozen=True)
class ClassScores:
    images: int
    auroc: Interval  # of this output against all others
    recall: Interval
    precision: Interval


@dataclass(frozen=True)
class ClassificationScores:
    accuracy: Interval
    log_loss: Interval
    ece: Interval  # expected calibration error
    auroc: Interval  # mean over outputs; of two, the first's
    classes: list[ClassScores]
    confusion: list[list[int]]  # rows are the truth, columns what was told

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """As an evaluation stores it; `names` are the outputs'."""
        return {
            "accuracy": self.accuracy.to_json(),
            "log_loss": self.log_loss.to_json(),
            "ece": self.ece.to_json(),
            "auroc": self.auroc.to_json(),
            "classes": [
                {
                    "index": index,
                    "name": names[index],
                    "images": scores.images,
                    "auroc": scores.auroc.to_json(),
                    "recall": scores.recall.to_json(),
                    "precision": scores.precision.to_json(),
                }
                for index, scores in enumerate(self.classes)
            ],
            "confusion": self.confusion,
        }


def score_classification(probabilities: Vector, truth: npt.NDArray[np.int64], seed: int) -> ClassificationScores:
    """Of probabilities (n, K) and true outputs (n,)."""
    outputs = probabilities.shape[1]
    told = probabilities.argmax(axis=1)
    confusion = np.zeros((outputs, outputs), int)
    np.add.at(confusion, (truth, told), 1)
    ranks = [rank_scores(probabilities[:, output], truth == output) for output in range(outputs)]
    statistics: list[Statistic] = [
        lambda weights: compute_log_loss(probabilities, truth, weights),
        lambda weights: compute_ece(probabilities, truth, weights),
        *(rank.auroc for rank in ranks),
    ]
    table = _resample(statistics, len(truth), seed)
    point, drawn = table[0], table[1:]
    averaged = [0] if outputs == 2 else list(range(outputs))
    return ClassificationScores(
        accuracy=estimate_share(int(np.trace(confusion)), len(truth)),
        log_loss=bound_value(point[0], list(drawn[:, 0])),
        ece=bound_value(point[1], list(drawn[:, 1])),
        auroc=bound_value(_mean_known(point[2:][averaged]), [_mean_known(row[2:][averaged]) for row in drawn]),
        classes=[
            ClassScores(
                images=int(confusion[output].sum()),
                auroc=bound_value(point[2 + output], list(drawn[:, 2 + output])),
                recall=estimate_share(int(confusion[output, output]), int(confusion[output].sum())),
                precision=estimate_share(int(confusion[output, output]), int(confusion[:, output].sum())),
            )
            for output in range(outputs)
        ],
        confusion=confusion.tolist(),
    )


def estimate_auroc(scores: Vector, positive: npt.NDArray[np.bool_], seed: int) -> Interval:
    """The share of pairs of a positive and a negative image in which the positive has the higher score."""
    table = _resample([rank_scores(scores, positive).auroc], len(scores), seed)[:, 0]
    return bound_value(table[0], list(table[1:]))


def estimate_share(part: int, whole: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval of `part` of `whole`."""
    if not whole:
        return Interval(math.nan, math.nan, math.nan)
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    # At the ends the bound is the share itself, which rounding may miss.
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


@dataclass(frozen=True)
class Ranks:
    """Images by rising score: `order` (n,), where each run of equal scores begins, and which are positive (n,)."""

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    positive: npt.NDArray[np.bool_]

    def auroc(self, weights: Vector) -> float:
        """Pairs in which the positive image is higher, equal ones by half (Mann and Whitney, 1947); nan of no pair."""
        if not len(self.order):
            return math.nan
        ordered = weights[self.order]
        above = np.add.reduceat(np.where(self.positive, ordered, 0), self.starts)
        below = np.add.reduceat(np.where(self.positive, 0, ordered), self.starts)
        pairs = float(above.sum() * below.sum())
        return float((above * (np.cumsum(below) - below / 2)).sum()) / pairs if pairs else math.nan


def rank_scores(scores: Vector, positive: npt.NDArray[np.bool_]) -> Ranks:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(scores) else order
    return Ranks(order, starts, positive[order])


def compute_log_loss(probabilities: Vector, truth: npt.NDArray[np.int64], weights: Vector) -> float:
    """Mean negative logarithm of the true output's probability."""
    if not len(truth):
        return math.nan
    own = np.asarray(probabilities, float)[np.arange(len(truth)), truth]
    return float(np.average(-np.log(np.maximum(own, LEAST_PROBABILITY)), weights=weights))


def compute_ece(probabilities: Vector, truth: npt.NDArray[np.int64], weights: Vector) -> float:
    """Expected calibration error: how far the told probability is from how often it is right, mean over ten bins.

    Guo et al., "On calibration of modern neural networks", 2017. With few images it is above 0 by chance alone.
    """
    if not len(truth):
        return math.nan
    told = np.asarray(probabilities.max(axis=1), float)
    bins = np.minimum((told * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights * ((probabilities.argmax(axis=1) == truth) - told), minlength=BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def _resample(statistics: Sequence[Statistic], images: int, seed: int, resamples: int = 500) -> npt.NDArray[np.float64]:
    """(1 + resamples, statistics): of the images as they are, and of each resample."""
    weights = [np.ones(images), *draw_weights(images, seed=seed, resamples=resamples)]
    return np.array([[statistic(weight) for statistic in statistics] for weight in weights])


def _mean_known(values: Vector) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
