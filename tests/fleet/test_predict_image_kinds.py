"""Hosted prediction by models that judge whole images: what the graphs say, in the words of the kind."""

from pathlib import Path

import numpy as np
import pytest

from fleet.domain.hosting import Hosting
from projects.domain.projects import create_project
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.fleet.asking import PHOTO, name_image, send, stored_image
from tests.fleet.test_predict import pixels
from tests.heads import Artifacts
from tests.judges import THRESHOLD, judged, make_judge
from tests.projects.uploading import post
from tests.serving import publish_model
from training.models import Model

NAMES = ("dent", "scratch", "good")


def project_of(person: Person, kind: str) -> str:
    with tenant_scope(person.tenant.id):
        return str(create_project(name=kind, kind=kind, by=person.principal).id)


def published(person: Person, kind: str, graphs: Path, artifacts: Artifacts) -> Model:
    """A model of the kind; a classifier's last output is of good images."""
    project = project_of(person, kind)
    model = publish_model(person, project, graphs, artifacts, names=NAMES if kind == "CLASSIFICATION" else NAMES[:2])
    if kind == "CLASSIFICATION":
        model.classes[-1]["id"] = None
        with tenant_scope(person.tenant.id):
            Model.objects.filter(id=model.id).update(classes=model.classes)
    return model


@pytest.fixture
def classifier(alice: Person, graphs: Path) -> tuple[Model, Artifacts]:
    artifacts = make_judge(graphs, "CLASSIFICATION")
    return published(alice, "CLASSIFICATION", graphs, artifacts), artifacts


@pytest.fixture
def watcher(alice: Person, graphs: Path) -> tuple[Model, Artifacts]:
    artifacts = make_judge(graphs, "ANOMALY")
    return published(alice, "ANOMALY", graphs, artifacts), artifacts


def test_a_classifier_tells_the_class_and_all_probabilities(
    alice: Person, classifier: tuple[Model, Artifacts], serving: Hosting, graphs: Path
) -> None:
    model, artifacts = classifier
    answer = send(alice, f"models/{model.id}/predict")
    body, expected = answer.json(), judged(graphs, artifacts, pixels(PHOTO))["probabilities"]

    assert answer.status_code == 200
    assert (body["kind"], body["predictions"], body["width"], body["height"]) == ("CLASSIFICATION", [], 160, 120)
    assert [one["name"] for one in body["probabilities"]] == list(NAMES)
    assert [one["class"] for one in body["probabilities"]] == [label["id"] for label in model.classes]
    assert body["probabilities"][2]["class"] is None
    assert [one["probability"] for one in body["probabilities"]] == pytest.approx(expected.tolist(), abs=1e-6)
    best = int(expected.argmax())
    assert (body["class"], body["name"]) == (model.classes[best]["id"], NAMES[best])
    assert body["probability"] == pytest.approx(float(expected.max()), abs=1e-6)
    assert "score" not in body


def test_a_model_of_good_images_tells_score_and_heat(
    alice: Person, watcher: tuple[Model, Artifacts], serving: Hosting, graphs: Path
) -> None:
    model, artifacts = watcher
    body = send(alice, f"models/{model.id}/predict").json()
    expected = judged(graphs, artifacts, pixels(PHOTO))

    assert (body["kind"], body["predictions"], body["threshold"]) == ("ANOMALY", [], THRESHOLD)
    assert body["score"] == pytest.approx(float(expected["score"][0]), abs=1e-6)
    assert body["anomalous"] is (body["score"] >= THRESHOLD)
    assert np.shape(body["heat"]) == expected["heat"].shape == (4, 4)  # 128 × 128 pixels, places of 32 each
    np.testing.assert_allclose(body["heat"], expected["heat"], atol=6e-4)
    assert all(round(value, 3) == value for row in body["heat"] for value in row)
    assert "probabilities" not in body


@pytest.mark.parametrize(("threshold", "anomalous"), [(0.0, True), (1.1, False)])
def test_the_model_s_own_threshold_decides(
    alice: Person, serving: Hosting, graphs: Path, threshold: float, anomalous: bool
) -> None:
    model = published(alice, "ANOMALY", graphs, make_judge(graphs, "ANOMALY", threshold=threshold))
    body = send(alice, f"models/{model.id}/predict?threshold=0.99").json()
    assert (body["threshold"], body["anomalous"]) == (threshold, anomalous)


def test_a_promoted_model_answers_for_its_project(
    alice: Person, watcher: tuple[Model, Artifacts], serving: Hosting
) -> None:
    model, _ = watcher
    project = str(model.project_id)
    assert post(alice, f"models/{model.id}/promote", {}).status_code in (200, 201)
    image = stored_image(alice, project)
    body = name_image(alice, f"projects/{project}/predict", image).json()
    assert (body["model"], body["image"], body["kind"]) == (str(model.id), str(image), "ANOMALY")
    assert body["score"] == pytest.approx(send(alice, f"models/{model.id}/predict").json()["score"], abs=1e-6)


def test_asking_often_gives_the_same_and_keeps_what_it_weighs(
    alice: Person, classifier: tuple[Model, Artifacts], serving: Hosting
) -> None:
    model, artifacts = classifier
    answers = [send(alice, f"models/{model.id}/predict").json() for _ in range(5)]
    assert [answer["probabilities"] for answer in answers] == [answers[0]["probabilities"]] * 5
    own = serving.own_parts.get(
        tenant_id=alice.tenant.id, sha256=model.weights_sha256, load=lambda: pytest.fail("it is kept")
    )
    assert 0 < own.size <= len(artifacts.weights)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"head_graph": "efficientnet_lite0.heads-classification-of-tomorrow.onnx"}, "model_unavailable"),
        ({"head_graph": "../heads.onnx"}, "model_unavailable"),
        ({"threshold": "high"}, "model_damaged"),
    ],
)
def test_a_description_that_cannot_be_served_says_so(
    alice: Person, serving: Hosting, graphs: Path, facts: dict[str, str], code: str
) -> None:
    model = published(alice, "CLASSIFICATION", graphs, make_judge(graphs, "CLASSIFICATION", **facts))
    answer = send(alice, f"models/{model.id}/predict")
    assert answer.json()["code"] == code
    assert answer.json()["hint"]
