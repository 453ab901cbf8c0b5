"""Whether one model is better than another on the same images, or only luckier: a paired bootstrap over images.

Needs numpy, and is imported where it is used: the web process does without until somebody compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.vision.metrics import RECALLS, ClassMatches, Truth, match_detections
from training.vision.predictions import Prediction

DRAWS = 1000
CONFIDENCE = 0.95
# Numbers at once, of draws times detections: some 50 MB.
_CHUNK = 1_000_000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """AP50 of both, how much more b scores than a, and the interval of that; None where there is nothing to measure."""

    a: float | None
    b: float | None
    value: float | None
    low: float | None
    high: float | None


def compare(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], *, classes: int
) -> list[Difference]:
    """The difference over all classes, then that of each, from `images` of two predictions.json of the same images.

    Both are judged on the same draws of images: what is hard for both cancels out.
    """
    matches = [_matches(images, classes) for images in (first, second)]
    count = len(first)
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
    whole = np.ones((1, count))
    point = [np.stack([ap50(match, whole) for match in side]) for side in matches]  # (K, 1)
    drawn = [np.stack([ap50(match, draws) for match in side]) for side in matches]  # (K, DRAWS)
    overall = _difference(*(_over_classes(table) for table in (*point, *drawn)))
    return [overall, *(_difference(*(table[place] for table in (*point, *drawn))) for place in range(classes))]


def ap50(match: ClassMatches, weights: Floats) -> Floats:
    """(D,) average precision at IoU 0.5 under each of the weights (D, images); nan where no true box has weight.

    As `training.vision.metrics.average_precision`, many draws at once.
    """
    size = max(1, _CHUNK // max(1, len(match.image)))
    parts = [_ap50(match, weights[start : start + size]) for start in range(0, len(weights), size)]
    return np.concatenate(parts)


def _ap50(match: ClassMatches, weights: Floats) -> Floats:
    total = weights @ match.boxes
    hits = np.flatnonzero(match.hits[0])
    # Precision rises, and recall moves, at hits alone: the rest of the detections only counts.
    seen = np.cumsum(weights[:, match.image], axis=1)[:, hits]
    found = np.cumsum(weights[:, match.image[hits]], axis=1)
    precision = found / np.maximum(seen, np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    results = np.full(len(weights), np.nan)
    for draw in np.flatnonzero(total):
        places = np.searchsorted(found[draw] / total[draw], RECALLS, side="left")
        results[draw] = envelope[draw, places[places < len(hits)]].sum() / len(RECALLS)
    return results


def _matches(images: Sequence[Mapping[str, Any]], classes: int) -> list[ClassMatches]:
    predictions, truths = [], []
    for image in images:
        truth = np.array(image["truth"], np.float64).reshape(-1, 5)
        found = np.array(image["predictions"], np.float64).reshape(-1, 6)
        truths.append(Truth(_corners(truth[:, 1:]), truth[:, 0].astype(np.int64)))
        predictions.append(
            Prediction(_corners(found[:, 2:]), found[:, 1].astype(np.float32), found[:, 0].astype(np.int64))
        )
    return match_detections(predictions, truths, classes)


def _corners(boxes: Floats) -> Any:
    """x, y, width, height → x1, y1, x2, y2."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _over_classes(table: Floats) -> Floats:
    """(K, D) → (D,): the mean over the classes that have boxes; nan where none has."""
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    mean = np.where(known, table, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def _difference(point_a: Floats, point_b: Floats, drawn_a: Floats, drawn_b: Floats) -> Difference:
    a, b = float(point_a[0]), float(point_b[0])
    if np.isnan(a) or np.isnan(b):
        return Difference(None, None, None, None, None)
    drawn = drawn_b - drawn_a
    low, high = np.quantile(drawn[~np.isnan(drawn)], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(*(round(float(value), 6) for value in (a, b, b - a, low, high)))
