"""What is found, missed, a false alarm or of the wrong class: box by box, as the evaluation counts."""

from typing import Any

import numpy as np
import pytest

from training.domain.judging import (
    LEAST_SCORE,
    SCORES,
    USUAL_SCORE,
    Judged,
    best_score,
    confusion,
    judge,
    precision_recall,
    verdicts,
)
from training.vision.metrics import Truth, match_detections
from training.vision.predictions import Prediction


def image(truth: Any, predictions: Any, name: str = "one") -> Judged:
    """Truth as class and place, predictions as class, score and place; places are x, y, width, height."""
    (judged,) = judge([{"image": name, "truth": truth, "predictions": predictions}])
    return judged


def places(boxes: Any) -> list[float]:
    """The x of each: which box it is."""
    return [box.place[0] for box in boxes]


def test_each_box_gets_the_one_verdict_that_it_deserves() -> None:
    one = image(
        [[0, 0, 0, 10, 10], [0, 50, 0, 10, 10], [1, 100, 0, 10, 10]],
        [
            [0, 0.9, 1, 0, 10, 10],  # found
            [0, 0.8, 2, 0, 10, 10],  # the same box once more
            [0, 0.7, 101, 0, 10, 10],  # a scratch taken for a dent
            [1, 0.6, 300, 0, 10, 10],  # nothing is there
            [1, 0.4, 50, 0, 10, 4],  # a dent taken for a scratch, but it overlaps by less than half
        ],
    )
    said = verdicts(one, score=0.3)
    assert [(found.place[0], box.place[0]) for found, box in said.found] == [(1, 0)]
    assert [(found.place[0], box.place[0]) for found, box in said.wrong] == [(101, 100)]
    assert places(said.missed) == [50]
    assert places(said.false_alarms) == [2, 300, 50]
    assert said.errors == 5


def test_confusion_counts_each_box_once_and_each_alarm_in_the_last_row() -> None:
    one = image(
        [[0, 0, 0, 10, 10], [0, 50, 0, 10, 10], [1, 100, 0, 10, 10]],
        [[0, 0.9, 1, 0, 10, 10], [0, 0.7, 101, 0, 10, 10], [1, 0.6, 300, 0, 10, 10], [1, 0.2, 50, 0, 10, 10]],
    )
    # Dent and scratch: one dent found, one missed, the scratch taken for a dent, a scratch seen in nothing.
    assert confusion([one], score=0.3, classes=2) == [[1, 0, 1], [1, 0, 0], [0, 1, 0]]
    # From 0.1 on the missed dent is taken for a scratch.
    assert confusion([one, one], score=0.1, classes=2) == [[2, 2, 0], [2, 0, 0], [0, 2, 0]]
    assert confusion([], score=0.3, classes=1) == [[0, 0], [0, 0]]


def test_precision_and_recall_at_each_score() -> None:
    dents = image(
        [[0, 0, 0, 10, 10], [0, 50, 0, 10, 10]],
        [[0, 0.9, 0, 0, 10, 10], [0, 0.6, 200, 0, 10, 10], [0, 0.3, 50, 0, 10, 10], [1, 0.4, 90, 0, 10, 10]],
    )
    dent, scratch, never = precision_recall([dents], classes=3)
    at = dict(zip(SCORES, dent, strict=True))
    # One of two found and nothing else; with a false alarm; both found of three; nothing from 0.95 on.
    assert (at[0.65], at[0.5], at[0.3], at[0.95]) == ((0.5, 1.0), (0.5, 0.5), (1.0, 2 / 3), (0.0, None))
    # No scratch is there to be found, and one is seen where none is.
    assert scratch[0] == (None, 0.0)
    assert set(never) == {(None, None)}


def test_only_predictions_from_the_score_on_count() -> None:
    one = image([[0, 0, 0, 10, 10]], [[0, 0.9, 0, 0, 10, 10], [0, 0.5, 50, 0, 10, 10], [0, 0.04, 80, 0, 10, 10]])
    assert len(one.found) == 2  # the third is below what is looked at
    assert verdicts(one, score=0.5).errors == 1
    assert verdicts(one, score=0.51).errors == 0
    assert verdicts(one, score=0.91).errors == 1  # now it is missed
    assert LEAST_SCORE == 0.05


def test_verdicts_of_one_class_are_those_it_has_a_part_in() -> None:
    one = image([[0, 0, 0, 10, 10], [1, 50, 0, 10, 10]], [[2, 0.9, 50, 0, 10, 10], [0, 0.8, 200, 0, 10, 10]])
    said = verdicts(one, score=0.3)
    assert [(len(said.of(label).wrong), places(said.of(label).missed)) for label in (0, 1, 2)] == [
        (0, [0]),
        (1, []),
        (1, []),
    ]
    assert places(said.of(0).false_alarms) == [200]
    assert said.of(3).is_empty
    assert said.of(None) is said


def test_as_many_are_found_as_in_the_evaluation_whatever_the_score() -> None:
    draws = np.random.default_rng(4)
    rows = []
    for _ in range(20):
        truth = [[int(draws.integers(2)), *draws.uniform(0, 40, 2), *draws.uniform(10, 30, 2)] for _ in range(6)]
        near = [[box[0], float(draws.random()), *(np.array(box[1:]) + draws.normal(0, 2, 4))] for box in truth * 2]
        rows.append({"image": "x", "truth": truth, "predictions": sorted(near, key=lambda line: -line[1])})
    for score in (0.05, 0.3, 0.7):
        kept = [[line for line in row["predictions"] if line[1] >= score] for row in rows]
        predictions = [
            Prediction(_corners(lines, 2), np.array([line[1] for line in lines], np.float32), _labels(lines))
            for lines in kept
        ]
        truths = [Truth(_corners(row["truth"], 1), _labels(row["truth"])) for row in rows]
        counted = sum(int(match.hits[0].sum()) for match in match_detections(predictions, truths, 2))
        assert counted > 10
        assert sum(len(verdicts(one, score=score).found) for one in judge(rows)) == counted


def test_the_best_score_is_where_errors_are_fewest() -> None:
    truth = [[0, 0, 0, 10, 10], [0, 50, 0, 10, 10]]
    found = [[0, 0.9, 0, 0, 10, 10], [0, 0.62, 50, 0, 10, 10]]
    noise = [[0, 0.5, 100 + 20 * number, 0, 10, 10] for number in range(5)]
    assert best_score([image(truth, found + noise)]) == 0.55  # below 0.62, above 0.5
    assert best_score([image(truth, found)]) == LEAST_SCORE
    assert best_score([image(truth, noise)]) == USUAL_SCORE
    assert best_score([]) == USUAL_SCORE


@pytest.mark.parametrize("broken", [{}, {"image": "a", "truth": [[0, 1, 2]], "predictions": []}, {"image": "a"}])
def test_what_is_no_prediction_file_is_refused(broken: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        judge([broken])


def _corners(lines: Any, first: int) -> Any:
    sides = np.array([line[first:] for line in lines], np.float64).reshape(-1, 4)
    return np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)


def _labels(lines: Any) -> Any:
    return np.array([line[0] for line in lines], np.int64)
