"""Average precision as COCO counts it, and in a form that can be resampled over images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.vision.predictions import Prediction

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_DETECTIONS = 100  # an image and class
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Truth:
    """Boxes (n, 4) as x1, y1, x2, y2 and classes (n,) of one image."""

    boxes: npt.NDArray[np.floating]
    classes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassMatches:
    """Every detection of one class over all images, best score first, and what it hit.

    `image` (n,) is the index of its image, `hits` (10, n) whether it found a box at each IoU threshold, `boxes`
    (images,) the number of true boxes in each image.
    """

    image: npt.NDArray[np.int64]
    hits: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """AP over IoU 0.50 … 0.95 and AP50, of each class (nan where a class has no true box) and their means."""

    ap: float
    ap50: float
    class_ap: list[float]
    class_ap50: list[float]


def match_detections(predictions: Sequence[Prediction], truths: Sequence[Truth], classes: int) -> list[ClassMatches]:
    """Match each image's detections, best first, to the best true box of their class that is still free."""
    return [_match_class(predictions, truths, class_index) for class_index in range(classes)]


def score_matches(matches: Sequence[ClassMatches], weights: npt.NDArray[np.floating] | None = None) -> Scores:
    """Average precision; `weights` (images,) counts an image so many times, as a resample of images does."""
    table = np.array([average_precision(match, weights) for match in matches])  # (K, 10)
    class_ap, class_ap50 = table.mean(axis=1), table[:, 0]
    known = ~np.isnan(class_ap50)
    if not known.any():
        return Scores(float("nan"), float("nan"), class_ap.tolist(), class_ap50.tolist())
    return Scores(
        float(class_ap[known].mean()), float(class_ap50[known].mean()), class_ap.tolist(), class_ap50.tolist()
    )


def average_precision(match: ClassMatches, weights: npt.NDArray[np.floating] | None = None) -> Floats:
    """(10,) average precision at each IoU threshold: mean over 101 recalls of the best precision at that or more."""
    if weights is None:
        weights = np.ones(len(match.boxes))
    total = float((match.boxes * weights).sum())
    if total == 0:
        return np.full(len(IOU_THRESHOLDS), np.nan)
    weight = weights[match.image]
    found = np.cumsum(match.hits * weight, axis=1)  # (10, n)
    seen = np.cumsum(weight)
    precision = found / np.maximum(seen, np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    results = np.zeros(len(IOU_THRESHOLDS))
    for index, recall in enumerate(found / total):
        places = np.searchsorted(recall, RECALLS, side="left")
        reached = places < recall.size
        results[index] = envelope[index, places[reached]].sum() / len(RECALLS)
    return results


def _match_class(predictions: Sequence[Prediction], truths: Sequence[Truth], class_index: int) -> ClassMatches:
    scores, images, hits = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros((len(IOU_THRESHOLDS), 0), bool)]
    boxes = np.zeros(len(truths), np.int64)
    for image, (prediction, truth) in enumerate(zip(predictions, truths, strict=True)):
        wanted = prediction.classes == class_index
        order = np.argsort(-prediction.scores[wanted], kind="stable")[:MOST_DETECTIONS]
        true_boxes = truth.boxes[truth.classes == class_index]
        boxes[image] = len(true_boxes)
        scores.append(prediction.scores[wanted][order])
        images.append(np.full(len(order), image, np.int64))
        hits.append(_match_image(prediction.boxes[wanted][order], true_boxes))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return ClassMatches(np.concatenate(images)[order], np.concatenate(hits, axis=1)[:, order], boxes)


def _match_image(found: Floats, truth: Floats) -> npt.NDArray[np.bool_]:
    """(n, 4), (m, 4) -> (10, n)."""
    hits = np.zeros((len(IOU_THRESHOLDS), len(found)), bool)
    if not len(truth):
        return hits
    ious = compute_ious(found, truth)
    for row, threshold in enumerate(IOU_THRESHOLDS):
        hits[row] = pair_boxes(ious, threshold) >= 0
    return hits


def pair_boxes(ious: Floats, threshold: float) -> npt.NDArray[np.int64]:
    """(n, m) overlaps of found boxes, best first, with true ones -> (n,) the true box that each found, or -1.

    Each takes the best true box that is still free, so what a box finds depends on better ones alone: a higher least
    score leaves the pairs of those that remain as they are.
    """
    found, true = ious.shape
    pairs = np.full(found, -1, np.int64)
    free = np.ones(true, bool)
    for index in range(found if true else 0):
        candidates = np.where(free, ious[index], -1.0)
        # Of equal overlaps COCO takes the later box.
        best = true - 1 - int(np.argmax(candidates[::-1]))
        if candidates[best] >= min(threshold, 1 - 1e-10):
            free[best] = False
            pairs[index] = best
    return pairs


def compute_ious(first: Floats, second: Floats) -> Floats:
    """(n, 4), (m, 4) -> (n, m), in double precision like COCO's."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    sides = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    overlap = np.clip(sides, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (first, second)]
    return np.asarray(overlap / np.maximum(areas[0][:, None] + areas[1][None] - overlap, 1e-12))
