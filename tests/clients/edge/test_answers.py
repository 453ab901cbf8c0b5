"""What a kind takes for an answer, and for the same answer."""

from typing import Any

import numpy as np
import pytest

from myriad_edge.errors import BadImage, BadInput
from myriad_edge.kinds import kind_of
from myriad_edge.kinds.interface import Kind
from myriad_edge.manifest import Manifest

TOLERANCES = {"boxes": 0.1, "scores": 1e-3, "probabilities": 1e-3, "score": 1e-3}


def kind(name: str, *, threshold: float | None = None, told: float | None = None) -> Kind:
    manifest = Manifest(
        kind=name,
        classes=("a", "b"),
        sha256="",
        size=1,
        threshold=threshold,
        model={},
        tolerances=TOLERANCES,
        parity=(),
    )
    return kind_of(manifest, told)


def detections(boxes: Any, scores: Any, classes: Any) -> dict[str, Any]:
    return {
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "scores": np.array(scores, np.float32),
        "classes": np.array(classes, np.int64),
    }


BOXES = [[0, 0, 10, 10], [5, 5, 9, 9]]


def test_detections_may_change_places_but_not_otherwise() -> None:
    """As `training.vision.parity.agrees`, of which tests/training/vision/test_parity.py has the same cases."""
    expected = {"boxes": BOXES, "scores": [0.5, 0.4999], "classes": [0, 1]}
    agrees = kind("DETECTION").agrees
    assert agrees(detections(np.array(BOXES)[::-1] + 0.05, [0.4999, 0.5], [1, 0]), expected)
    assert not agrees(detections(BOXES, [0.5, 0.4999], [0, 0]), expected)
    assert not agrees(detections(np.array(BOXES) + 0.2, [0.5, 0.4999], [0, 1]), expected)
    assert not agrees(detections(BOXES, [0.49, 0.4899], [0, 1]), expected)
    assert not agrees(detections(BOXES[:1], [0.5], [0]), expected)
    nothing = {"boxes": [], "scores": [], "classes": []}
    assert agrees(detections([], [], []), nothing)
    assert not agrees(detections([], [], []), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DETECTION", {}),
        ("DETECTION", {"boxes": [[1, 2, 3]], "scores": [1], "classes": [0]}),
        ("DETECTION", {"boxes": [[1, 2, 3, 4]], "scores": [1, 1], "classes": [0]}),
        ("DETECTION", {"boxes": [[1, 2, 3, float("inf")]], "scores": [1], "classes": [0]}),
        ("DETECTION", {"boxes": [["a", 2, 3, 4]], "scores": [1], "classes": [0]}),
        ("CLASSIFICATION", {"probabilities": {}}),
        ("ANOMALY", {"score": None}),
        ("ANOMALY", {"score": [1, 2]}),
    ],
)
def test_expectations_of_no_sense_are_refused(name: str, expected: dict[str, Any]) -> None:
    arrays = {**detections([[1, 2, 3, 4]], [1], [0]), "probabilities": np.ones(2), "score": np.ones(1)}
    with pytest.raises(BadInput, match="parity image"):
        kind(name, threshold=0.5).agrees(arrays, expected)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("DETECTION", detections([[0, 0, 1, 1]], [0.5], [2])),
        ("DETECTION", detections([[0, 0, 1, 1]], [0.5], [-1])),
        ("DETECTION", detections([[0, 0, 1, 1]], [np.nan], [0])),
        ("DETECTION", detections([[0, 0, 1, np.inf]], [0.5], [0])),
        ("DETECTION", detections([[0, 0, 1, 1]], [0.5, 0.4], [0, 1])),
        ("CLASSIFICATION", {"probabilities": np.array([np.nan, 1])}),
        ("CLASSIFICATION", {"probabilities": np.ones(3)}),
        ("CLASSIFICATION", {"probabilities": np.ones((1, 2))}),
        ("ANOMALY", {"score": np.array(np.nan), "heat": np.ones((2, 2))}),
        ("ANOMALY", {"score": np.ones(2), "heat": np.ones((2, 2))}),
        ("ANOMALY", {"score": np.array(1), "heat": np.ones((1, 2, 2))}),
        ("ANOMALY", {"score": np.array(1), "heat": np.full((2, 2), np.nan)}),
        ("ANOMALY", {"score": np.array(1), "heat": np.ones((0, 2))}),
    ],
)
def test_answers_of_no_sense_are_no_answers(name: str, arrays: dict[str, Any]) -> None:
    """Above all, a score that is not a number is not below the threshold."""
    with pytest.raises(BadImage, match="made the model answer with"):
        kind(name, threshold=0.5).answer(arrays)


@pytest.mark.parametrize("score", [0.5, 0.50001])
def test_a_score_at_the_threshold_counts(score: float) -> None:
    found = kind("DETECTION", told=0.5).answer(detections([[0, 0, 1, 1]], [score], [0])).to_json()["findings"]
    assert isinstance(found, list)
    assert len(found) == 1
    heat = np.zeros((2, 2), np.float32)
    assert kind("ANOMALY", told=0.5).answer({"score": np.array(score), "heat": heat}).to_json()["anomalous"] is True


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_detectors_threshold_is_a_share(threshold: float) -> None:
    with pytest.raises(BadInput, match="threshold"):
        kind("DETECTION", told=threshold)
