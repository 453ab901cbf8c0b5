"""Models that judge whole images, as the command tells them: their figures, and what they say of a picture."""

from pathlib import Path
from typing import Any

import pytest

from myriad import Client, Interval
from tests.clients.sdk.cli.test_learning import told
from tests.clients.sdk.conftest import Myriad
from tests.clients.sdk.fake_service import FakeService

SURE = {"value": 0.9, "low": 0.8, "high": 0.95}
GOOD = {"id": None, "name": "good"}
DENT = {"id": "c1", "name": "dent"}
CLASSIFICATION: dict[str, Any] = {
    "kind": "CLASSIFICATION", "accuracy": SURE, "auroc": SURE, "ece": SURE, "log_loss": None,
    "confusion": [[9, 1], [1, 39]],
    "classes": [
        {**DENT, "images": 10, "auroc": SURE, "recall": SURE, "precision": None},
        {**GOOD, "images": 40, "auroc": SURE, "recall": None, "precision": SURE},
    ],
}  # fmt: skip
ANOMALY: dict[str, Any] = {
    "kind": "ANOMALY", "auroc": None, "false_alarm_rate": {"value": 0.05, "low": 0.01, "high": 0.15},
    "detection_rate": None, "threshold": 0.43, "stated_false_alarm_rate": 0.05, "good": 40, "defective": 0,
    "classes": [{**DENT, "images": 0, "detection_rate": None}],
}  # fmt: skip


def model_of(service: FakeService, metrics: dict[str, Any], classes: list[dict[str, Any]]) -> str:
    project = service.tenant.add_project("Sorting", kind=metrics["kind"])
    evaluation = {"snapshot": "s1", "method": "OUT_OF_FOLD", "folds": 3, "metrics": metrics}
    return service.tenant.add_model(
        project, classes=classes, evaluation=evaluation | {"image_count": 50, "box_count": 10}
    )


@pytest.fixture
def classifier(service: FakeService) -> str:
    return model_of(service, CLASSIFICATION, [DENT, GOOD])


@pytest.fixture
def watcher(service: FakeService) -> str:
    return model_of(service, ANOMALY, [DENT])


def test_a_classifier_is_shown_with_its_table(myriad: Myriad, classifier: str) -> None:
    shown = myriad("model", "show", classifier)
    assert told(shown.out)["evaluated"] == "out of fold, 3 folds, 50 images"
    assert told(shown.out)["classes"] == "dent, good"
    rows = [line.split() for line in shown.out.splitlines()[-4:]]
    assert rows[0] == ["CLASS", "IMAGES", "RECALL", "95", "%", "0", "1", "PRECISION", "95", "%"]
    assert rows[1] == ["dent", "10", "0.90", "0.80-0.95", "." * 24 + "---#-.", "-", "-"]
    assert rows[2] == ["good", "40", "-", "-", "." * 30, "0.90", "0.80-0.95"]
    assert rows[3][:4] == ["ALL", "50", "0.90", "0.80-0.95"]


def test_a_model_of_good_images_is_shown_with_what_it_calls_anomalous(myriad: Myriad, watcher: str) -> None:
    rows = [line.split() for line in myriad("model", "show", watcher).out.splitlines()[-4:]]
    assert rows[0] == ["IMAGES", "OF", "IMAGES", "ANOMALOUS", "95", "%", "0", "1"]
    assert rows[1][:4] == ["GOOD", "40", "0.05", "0.01-0.15"]
    assert rows[2][:3] == ["dent", "0", "-"]
    assert rows[3][:4] == ["ALL", "DEFECTIVE", "0", "-"]


def test_models_are_listed_by_the_figure_of_their_kind(myriad: Myriad, classifier: str) -> None:
    head, row = myriad("model", "list", "-p", "Sorting").out.splitlines()
    assert "ACCURACY" in head.split()
    assert row.split()[3:5] == ["0.90", "(0.80-0.95)"]


def test_what_good_is_has_no_class(client: Client, classifier: str, watcher: str) -> None:
    shown = client.models.get(classifier)
    assert [(label.name, label.id) for label in shown.classes] == [("dent", "c1"), ("good", None)]
    assert shown.evaluation is not None
    assert shown.evaluation.metrics.main == Interval(**SURE)
    assert shown.evaluation.metrics.classes[1].id == ""
    metrics = client.models.get(watcher).evaluation
    assert metrics is not None
    assert (metrics.metrics.main, metrics.metrics.threshold, metrics.metrics.defective) == (None, 0.43, 0)


def test_a_classifier_s_answer_is_told_with_the_most_probable_first(
    service: FakeService, myriad: Myriad, client: Client, classifier: str, tmp_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(b"pixels")
    shares = [{"class": "c1", "name": "dent", "probability": 0.2}, {"class": None, "name": "good", "probability": 0.8}]
    document = {
        "model": classifier,
        "image": None,
        "width": 8,
        "height": 6,
        "kind": "CLASSIFICATION",
        "predictions": [],
    }
    document |= {"class": None, "name": "good", "probability": 0.8, "probabilities": shares, "seconds": {}}
    service.fail("POST", ".*/predict", 200, document)
    ended = myriad("model", "predict", classifier, str(tmp_path / "in.png"))
    assert [line.split() for line in ended.out.splitlines()] == [
        ["CLASS", "PROBABILITY"],
        ["good", "0.800"],
        ["dent", "0.200"],
    ]
    service.fail("POST", ".*/predict", 200, document)
    found = client.models.predict(classifier, b"pixels")
    assert found.best is not None
    assert (found.best.name, found.best.class_id, found.heat, found.predictions) == ("good", None, [], ())


def test_a_score_is_told_with_its_threshold(
    service: FakeService, myriad: Myriad, client: Client, watcher: str, tmp_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(b"pixels")
    document = {"model": watcher, "image": None, "width": 8, "height": 6, "kind": "ANOMALY", "predictions": []}
    document |= {"score": 0.5, "threshold": 0.43, "anomalous": True, "heat": [[0.1, 0.9]], "seconds": {}}
    service.fail("POST", ".*/predict", 200, document)
    ended = myriad("model", "predict", watcher, str(tmp_path / "in.png"))
    assert [line.split() for line in ended.out.splitlines()] == [
        ["VERDICT", "SCORE", "THRESHOLD"],
        ["ANOMALOUS", "0.500", "0.430"],
    ]
    service.fail("POST", ".*/predict", 200, document)
    found = client.models.predict(watcher, b"pixels")
    assert (found.score, found.anomalous, found.heat, found.best) == (0.5, True, [[0.1, 0.9]], None)
