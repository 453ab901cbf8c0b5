"""Comparing models: what the bootstrap says, what is refused, and what the answer shows."""

import json
import uuid
from typing import Any

import numpy as np
import pytest

from tenants.scope import tenant_scope
from tests.training.making import Works
from tests.training.test_starting import refusal
from training.domain import comparing, paired
from training.models import Evaluation
from training.vision.metrics import Truth, match_detections, score_matches
from training.vision.predictions import Prediction

CLASSES = 2


def judged(count: int, *, found: float, seed: int) -> list[dict[str, Any]]:
    """Images with two boxes each, of which so large a part is found; and as many false alarms."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(count):
        truth = [[number % CLASSES, 10.0, 10.0, 20.0, 20.0], [0, 60.0, 60.0, 20.0, 20.0]]
        hits = [[index, float(rng.random()), *box] for index, *box in truth if rng.random() < found]
        alarms = [[int(rng.integers(CLASSES)), float(rng.random()), 100.0, 10.0, 20.0, 20.0]]
        images.append({"image": str(number), "truth": truth, "predictions": hits + alarms})
    return images


def test_weighted_ap50_is_that_of_the_metrics() -> None:
    """The one that many draws are computed with at once, against the one that evaluations are computed with."""
    images = judged(12, found=0.6, seed=3)
    matches = paired._matches(images, CLASSES)
    weights = np.random.default_rng(1).multinomial(12, np.full(12, 1 / 12), size=20).astype(float)
    weights[0] = 1
    weights[1, :] = 0  # nothing drawn: nothing to measure
    for index, match in enumerate(matches):
        expected = [score_matches(matches, row).class_ap50[index] for row in weights]
        np.testing.assert_allclose(paired.ap50(match, weights), expected, rtol=1e-12)


def test_chunks_of_draws_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = judged(20, found=0.9, seed=1), judged(20, found=0.5, seed=2)
    whole = paired.compare(first, second, classes=CLASSES)
    monkeypatch.setattr(paired, "_CHUNK", 500)
    assert paired.compare(first, second, classes=CLASSES) == whole


def test_boxes_are_read_as_corner_and_size() -> None:
    images = judged(3, found=1.0, seed=0)
    corners = [np.array([[10, 10, 30, 30], [60, 60, 80, 80]], float)] * 3
    truths = [Truth(boxes, np.array([number % CLASSES, 0])) for number, boxes in enumerate(corners)]
    predictions = [
        Prediction(
            np.array([[x, y, x + w, y + h] for _, _, x, y, w, h in image["predictions"]], np.float32),
            np.array([found[1] for found in image["predictions"]], np.float32),
            np.array([found[0] for found in image["predictions"]]),
        )
        for image in images
    ]
    expected = score_matches(match_detections(predictions, truths, CLASSES)).ap50
    assert paired.compare(images, images, classes=CLASSES)[0].a == pytest.approx(expected, abs=1e-5)


def test_better_model_is_told_from_a_worse_one_and_not_from_its_like() -> None:
    good, bad = judged(60, found=0.95, seed=1), judged(60, found=0.4, seed=2)
    overall, *_ = paired.compare(bad, good, classes=CLASSES)
    assert overall.low is not None
    assert overall.low > 0.1
    mirrored, *_ = paired.compare(good, bad, classes=CLASSES)
    assert (mirrored.value, mirrored.low, mirrored.high) == (-overall.value, -overall.high, -overall.low)

    like, *_ = paired.compare(good, judged(60, found=0.95, seed=9), classes=CLASSES)
    assert like.low is not None
    assert like.low < 0 < like.high
    same, *_ = paired.compare(good, good, classes=CLASSES)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_class_without_boxes_has_nothing_to_measure() -> None:
    images = judged(8, found=0.9, seed=1)
    *_, third = paired.compare(images, images, classes=3)
    assert third == paired.Difference(None, None, None, None, None)


def test_models_of_one_snapshot_are_compared(works: Works, snapshot: str) -> None:
    """An even seed's stand-in finds everything, an odd one's one box of each image: half of the classes."""
    whole, half = works.trained(seed=2), works.trained(seed=1)
    told = works.shown(f"models/{whole}/compare?with={half}")
    assert (told["a"], told["b"], told["images"], told["verdict"]) == (whole, half, 4, "A_BETTER")
    assert told["ap50"] == {"a": 1.0, "b": 0.5, "value": -0.5, "low": -0.5, "high": -0.5}
    assert [(label["name"], label["ap50"]["value"]) for label in told["classes"]] == [("dent", 0), ("scratch", -1)]
    assert works.shown(f"models/{half}/compare?with={whole}")["verdict"] == "B_BETTER"
    assert works.shown(f"models/{half}/compare?with={half}")["verdict"] == "CANNOT_TELL"


def test_models_of_different_snapshots_are_not(works: Works, snapshot: str) -> None:
    first = works.trained()
    works.freeze()
    same_data = works.trained()
    works.label(count=1, name="one more")
    works.freeze()
    other = works.trained()

    assert works.shown(f"models/{first}/compare?with={same_data}")["verdict"] == "CANNOT_TELL"
    answer = works.person.api.get(f"/api/v1/models/{first}/compare?with={other}")
    problem = refusal(answer, 409, "different_snapshots")
    assert "snapshot 1" in problem["detail"]
    assert "snapshot 3" in problem["detail"]


def test_comparison_that_cannot_be_is_refused(works: Works, snapshot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = works.trained()
    path = f"/api/v1/models/{model}/compare"
    for query in ("", "?with=x"):
        refusal(works.person.api.get(path + query), 400, "validation_failed")
    assert works.person.api.get(f"{path}?with={uuid.uuid4()}").status_code == 404
    for limit in ("MAX_IMAGES", "MAX_DETECTIONS"):
        with monkeypatch.context() as patched:
            patched.setattr(comparing, limit, 3)
            refusal(works.person.api.get(f"{path}?with={model}"), 409, "evaluation_too_large")


@pytest.mark.parametrize("data", [b"else", json.dumps({"images": 3}).encode()], ids=["other bytes", "other content"])
def test_damaged_predictions_are_not_compared(works: Works, snapshot: str, data: bytes) -> None:
    import hashlib

    model = works.trained()
    with tenant_scope(works.person.tenant.id):
        evaluation = Evaluation.objects.get()
        if data != b"else":
            evaluation.predictions_sha256 = hashlib.sha256(data).hexdigest()
            evaluation.save()
    works.storage.put(f"artifacts/{evaluation.predictions_sha256}", data, content_type="application/json")
    refusal(works.person.api.get(f"/api/v1/models/{model}/compare?with={model}"), 409, "model_damaged")
