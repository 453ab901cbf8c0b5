"""Hosted prediction: what is asked in each way is answered with what the model says."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from fleet.domain.detectors import SETTLES
from fleet.domain.hosting import Hosting
from tests.cast import Cast, Person
from tests.fleet.asking import PHOTO, name_image, send, send_form, stored_image
from tests.heads import Artifacts, in_process, make_artifacts, tuned_head_graph
from tests.projects.files import encoded, picture
from tests.serving import publish_model
from training.models import Model


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Picture.open(io.BytesIO(data)).convert("RGB"))


def test_the_answer_is_what_the_graphs_say(
    alice: Person, model: Model, serving: Hosting, graphs: Path, artifacts: Artifacts
) -> None:
    answer = send(alice, f"models/{model.id}/predict")
    body, expected = answer.json(), in_process(graphs, artifacts, pixels(PHOTO))

    assert answer.status_code == 200
    assert (body["model"], body["image"], body["width"], body["height"]) == (str(model.id), None, 160, 120)
    above = int((expected.scores >= 0.3).sum())
    assert len(body["predictions"]) == above > 0
    for found, box, score in zip(body["predictions"], expected.boxes, expected.scores, strict=False):
        left, top, right, bottom = map(float, box)
        assert found == {
            "class": model.classes[0]["id"],
            "name": "dent",
            "score": float(score),
            "bbox": [left, top, right - left, bottom - top],
        }
    assert set(body["seconds"]) == {"load", "wait", "decode", "compute"}


def test_bytes_form_and_image_id_say_the_same(alice: Person, project: str, model: Model, serving: Hosting) -> None:
    address, image = f"models/{model.id}/predict", stored_image(alice, project)
    ways = {
        "bytes": send(alice, address),
        "jpeg by name only": send(alice, address, content_type="image/jpeg"),
        "unnamed bytes": send(alice, address, content_type="application/octet-stream"),
        "form": send_form(alice, address),
        "image": name_image(alice, address, image),
    }
    first = ways["bytes"].json()["predictions"]
    for way, answer in ways.items():
        assert answer.status_code == 200, way
        for found, expected in zip(answer.json()["predictions"], first, strict=True):
            assert found["class"] == expected["class"]
            assert found["score"] == pytest.approx(expected["score"], abs=1e-6)  # it settles meanwhile
            assert found["bbox"] == pytest.approx(expected["bbox"], abs=1e-3)
        assert answer.json()["image"] == (str(image) if way == "image" else None), way


def test_threshold_leaves_out_what_is_below(alice: Person, model: Model, serving: Hosting) -> None:
    address = f"models/{model.id}/predict"
    everything = send(alice, f"{address}?threshold=0").json()["predictions"]
    middle = sorted(found["score"] for found in everything)[len(everything) // 2]
    some = send(alice, f"{address}?threshold={middle}").json()["predictions"]

    assert 0 < len(some) < len(everything)
    assert some == [found for found in everything if found["score"] >= middle]
    assert send(alice, f"{address}?threshold=1").json()["predictions"] == []
    scores = [found["score"] for found in everything]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("threshold", ["-0.1", "1.1", "nan", "inf", "much", ""])
def test_a_threshold_that_is_none_is_named(threshold: str, alice: Person, model: Model, serving: Hosting) -> None:
    answer = send(alice, f"models/{model.id}/predict?threshold={threshold}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "threshold")


def test_boxes_are_of_the_upright_picture(alice: Person, model: Model, serving: Hosting) -> None:
    exif = Picture.Exif()
    exif[0x0112] = 6  # turned by the camera: 160 × 120 on disk, 120 × 160 upright
    turned = encoded(picture("casing", 160, 120), "JPEG", exif=exif)
    body = send(alice, f"models/{model.id}/predict", turned).json()

    assert (body["width"], body["height"]) == (120, 160)
    assert max(found["bbox"][1] + found["bbox"][3] for found in body["predictions"]) > 121


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_grey_and_others_are_taken_as_rgb(mode: str, alice: Person, model: Model, serving: Hosting) -> None:
    answer = send(alice, f"models/{model.id}/predict", encoded(picture("casing", 90, 50, mode), "PNG"))
    assert answer.status_code == 200
    assert answer.json()["predictions"]


def test_models_that_share_the_graphs_keep_their_own_weights(
    alice: Person, project: str, model: Model, serving: Hosting, graphs: Path
) -> None:
    other = make_artifacts(graphs, classes=3, seed=1)
    second = publish_model(alice, project, graphs, other, names=("dent", "burr", "scratch"))
    names = [
        {found["name"] for found in send(alice, f"models/{asked.id}/predict").json()["predictions"]}
        for asked in (model, second, model)
    ]
    assert names == [{"dent"}, {"burr"}, {"dent"}]
    assert len(serving.own_parts) == 2


def test_a_model_that_tunes_the_backbone_answers_as_its_own_graphs(
    alice: Person, project: str, serving: Hosting, graphs: Path
) -> None:
    """The first answers come from the shared head graph, those after it has settled from a session of its own."""
    artifacts = make_artifacts(graphs, seed=1, name=tuned_head_graph(graphs))
    tuned = publish_model(alice, project, graphs, artifacts)
    photo = picture("casing", 160, 120)
    expected = in_process(graphs, artifacts, np.asarray(photo))
    assert len(expected.scores) > 10
    for _ in range(SETTLES + 1):
        found = send(alice, f"models/{tuned.id}/predict", encoded(photo, "PNG")).json()["predictions"]
        assert [one["score"] for one in found] == pytest.approx(expected.scores[expected.scores >= 0.3], abs=1e-4)
        assert {one["name"] for one in found} == {"scratch"}


def test_labelers_may_and_viewers_may_not(cast: Cast, model: Model, serving: Hosting) -> None:
    address = f"models/{model.id}/predict"
    assert send(cast.bob, address).status_code == 200
    refused = send(cast.vera, address)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_a_repeated_request_is_answered_as_the_first_was(alice: Person, model: Model, serving: Hosting) -> None:
    address, key = f"models/{model.id}/predict", {"HTTP_IDEMPOTENCY_KEY": "photo 1"}
    first, again = (send(alice, address, **key) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = send(alice, address, encoded(picture("other", 160, 120), "PNG"), **key)
    assert other.status_code == 422


def test_a_warm_model_asks_s3_for_nothing(
    alice: Person, model: Model, serving: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"models/{model.id}/predict"
    cold = send(alice, address).json()
    monkeypatch.setattr("fleet.domain.detectors.read_artifact", None)
    warm = send(alice, address).json()
    assert warm["predictions"] == cold["predictions"]
    assert warm["seconds"]["load"] < cold["seconds"]["load"]
