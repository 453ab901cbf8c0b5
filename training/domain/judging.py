"""What a model got right and wrong, box by box: each prediction held against the truth of its image.

Needs numpy, and is imported where it is used. Which prediction found which box is decided by the code of the
evaluation itself, at IoU 0.5.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from training.vision.metrics import MOST_DETECTIONS, compute_ious, pair_boxes

IOU: Final = 0.5
# Predictions of lower scores are not looked at: hardly one of them is right, and most are of them.
LEAST_SCORE: Final = 0.05
# Where no prediction is right, so that none is best.
USUAL_SCORE: Final = 0.3
SCORES: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))
Place = tuple[float, float, float, float]


class Defect(NamedTuple):
    """A box that a labeler drew: class, then x, y, width, height."""

    label: int
    place: Place


class Found(NamedTuple):
    """A box that the model predicted. `pair` is the true box of its class that it found, or -1."""

    label: int
    score: float
    place: Place
    pair: int


class Judged(NamedTuple):
    """One image of an evaluation; the predictions are those from LEAST_SCORE on, best first."""

    image: str
    truth: tuple[Defect, ...]
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What holds of one image from one score on.

    `found` pairs a prediction with the true box of its class, `wrong` with one of another class; the rest was missed,
    or is a false alarm.
    """

    found: tuple[tuple[Found, Defect], ...]
    wrong: tuple[tuple[Found, Defect], ...]
    missed: tuple[Defect, ...]
    false_alarms: tuple[Found, ...]

    def of(self, label: int | None) -> "Verdicts":
        """Those that are about one class; all of them where none is given."""
        if label is None:
            return self
        return Verdicts(
            tuple(pair for pair in self.found if pair[1].label == label),
            tuple(pair for pair in self.wrong if label in (pair[0].label, pair[1].label)),
            tuple(box for box in self.missed if box.label == label),
            tuple(box for box in self.false_alarms if box.label == label),
        )

    @property
    def errors(self) -> int:
        return len(self.wrong) + len(self.missed) + len(self.false_alarms)

    @property
    def is_empty(self) -> bool:
        return not self.found and not self.errors


def judge(images: Iterable[Mapping[str, Any]]) -> list[Judged]:
    """From `images` of a predictions.json. Raises KeyError, TypeError or ValueError where it is none."""
    return [_judge(image) for image in images]


def verdicts(judged: Judged, *, score: float) -> Verdicts:
    """What the predictions of this score or more come to. `score` is at least LEAST_SCORE."""
    kept = [found for found in judged.found if found.score >= score]
    # What a prediction found depends on better ones alone, so the pairs hold whatever the least score is.
    pairs = tuple((found, judged.truth[found.pair]) for found in kept if found.pair >= 0)
    hit = {found.pair for found in kept}
    missed = [box for place, box in enumerate(judged.truth) if place not in hit]
    alarms = [found for found in kept if found.pair < 0]
    wrong: list[tuple[Found, Defect]] = []
    if missed and alarms:
        # Of one class there is no such pair left: it would have been found.
        others = pair_boxes(compute_ious(_corners(alarms), _corners(missed)), IOU)
        wrong = [(alarms[place], missed[other]) for place, other in enumerate(others) if other >= 0]
    mistaken, mistaken_for = {id(found) for found, _ in wrong}, {id(box) for _, box in wrong}
    return Verdicts(
        pairs,
        tuple(wrong),
        tuple(box for box in missed if id(box) not in mistaken_for),
        tuple(found for found in alarms if id(found) not in mistaken),
    )


def confusion(images: Sequence[Judged], *, score: float, classes: int) -> list[list[int]]:
    """How often a defect of the row's class was taken for one of the column's, at this score and IoU 0.5.

    The last column counts defects that were not found, the last row what was found where there is none.
    """
    counts = [[0] * (classes + 1) for _ in range(classes + 1)]
    for image in images:
        seen = verdicts(image, score=score)
        for found, box in (*seen.found, *seen.wrong):
            counts[box.label][found.label] += 1
        for box in seen.missed:
            counts[box.label][classes] += 1
        for alarm in seen.false_alarms:
            counts[classes][alarm.label] += 1
    return counts


class Measured(NamedTuple):
    """Of one class, from one score on: the share of its defects that are found, and of what is found that is right.

    None where there is nothing to take a share of.
    """

    recall: float | None
    precision: float | None


def precision_recall(images: Sequence[Judged], *, classes: int) -> list[list[Measured]]:
    """For each class what holds at each of SCORES, at IoU 0.5."""
    boxes = [0] * classes
    scores: list[list[float]] = [[] for _ in range(classes)]
    hits: list[list[float]] = [[] for _ in range(classes)]
    for image in images:
        for box in image.truth:
            boxes[box.label] += 1
        for found in image.found:
            scores[found.label].append(found.score)
            if found.pair >= 0:
                hits[found.label].append(found.score)
    return [
        [_measure(hits[label], scores[label], boxes[label], least=least) for least in SCORES]
        for label in range(classes)
    ]


def _measure(hits: Sequence[float], scores: Sequence[float], boxes: int, *, least: float) -> Measured:
    right, kept = (sum(score >= least for score in of) for of in (hits, scores))
    return Measured(right / boxes if boxes else None, right / kept if kept else None)


def best_score(images: Sequence[Judged]) -> float:
    """The score from which on errors are fewest for what is found (highest F1 over all boxes); the lowest of equals."""
    boxes = sum(len(image.truth) for image in images)
    scores = np.array([found.score for image in images for found in image.found])
    right = np.array([found.pair >= 0 for image in images for found in image.found], bool)
    if not right.any():
        return USUAL_SCORE
    measured = [2 * right[scores >= least].sum() / ((scores >= least).sum() + boxes) for least in SCORES]
    return SCORES[int(np.argmax(measured))]


def _judge(image: Mapping[str, Any]) -> Judged:
    truth = tuple(Defect(int(label), _place(place)) for label, *place in image["truth"])
    kept = [(int(label), float(score), _place(place)) for label, score, *place in image["predictions"]]
    kept = sorted((line for line in kept if line[1] >= LEAST_SCORE), key=lambda line: -line[1])
    by_label: dict[int, list[int]] = defaultdict(list)
    for line, (label, _, _) in enumerate(kept):
        if len(by_label[label]) < MOST_DETECTIONS:
            by_label[label].append(line)
    pairs: dict[int, int] = {}
    for label, lines in by_label.items():
        boxes = [place for place, box in enumerate(truth) if box.label == label]
        pairs |= dict.fromkeys(lines, -1)
        if boxes:
            ious = compute_ious(_as_corners([kept[line][2] for line in lines]), _corners([truth[box] for box in boxes]))
            found = pair_boxes(ious, IOU)
            pairs |= {line: boxes[box] for line, box in zip(lines, found, strict=True) if box >= 0}
    return Judged(str(image["image"]), truth, tuple(Found(*kept[line], pairs[line]) for line in sorted(pairs)))


def _place(given: Sequence[float]) -> Place:
    x, y, width, height = given
    return (float(x), float(y), float(width), float(height))


def _corners(boxes: Sequence[Defect | Found]) -> npt.NDArray[np.float64]:
    return _as_corners([box.place for box in boxes])


def _as_corners(places: Sequence[Place]) -> npt.NDArray[np.float64]:
    """x, y, width, height → x1, y1, x2, y2."""
    sides = np.array(places, np.float64).reshape(-1, 4)
    return np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
