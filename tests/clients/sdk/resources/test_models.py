import hashlib
from pathlib import Path
from typing import Any

import pytest

from myriad import Client, Conflict, Interval, NotDone, UnexpectedAnswer, ValidationFailed
from myriad.resources.models import Difference as ModelDifference
from tests.clients.sdk.fake_service import FakeService


@pytest.fixture
def model(service: FakeService, project: str) -> str:
    return service.tenant.add_model(project)


def test_evaluation_is_read_with_its_intervals(client: Client, project: str, model: str) -> None:
    shown = client.models.get(model)
    assert shown.evaluation is not None
    dent, scratch = shown.evaluation.metrics.classes
    assert (dent.name, dent.boxes, dent.ap50) == ("dent", 1015, Interval(value=0.61, low=0.42, high=0.78))
    assert (scratch.ap50, scratch.ap) == (Interval(), None)
    assert (shown.evaluation.method, shown.evaluation.folds) == ("OUT_OF_FOLD", 3)
    assert client.models.find("1", project_id=project).id == model
    assert [item.id for item in client.models.list(project)] == [model]


def test_comparison_is_read(service: FakeService, client: Client) -> None:
    ap50 = {"a": 0.5, "b": 0.52, "value": 0.02, "low": -0.1, "high": 0.14}
    document = {"a": "a", "b": "b", "images": 50, "verdict": "CANNOT_TELL", "ap50": ap50, "classes": []}
    service.fail("GET", "/api/v1/models/a/compare", 200, document)
    compared = client.models.compare("a", "b")
    assert (compared.verdict, compared.images) == ("CANNOT_TELL", 50)
    assert compared.ap50 == ModelDifference(a=0.5, b=0.52, value=0.02, low=-0.1, high=0.14)
    assert service.received[0].query == {"with": ["b"]}


def test_picture_is_sent_as_it_is(service: FakeService, client: Client, model: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 pixels")

    by_path = client.models.predict(model, tmp_path / "a.jpg")
    by_bytes = client.models.predict(model, b"\xff\xd8 pixels", threshold=0.5)

    assert [found.name for found in by_path.predictions] == ["dent", "scratch"]
    assert [(found.class_id, found.score, found.bbox) for found in by_bytes.predictions] == [
        ("c1", 0.91, (10, 20, 30, 15.5))
    ]
    first, second = service.received
    assert (first.body, second.body) == (b"\xff\xd8 pixels", b"\xff\xd8 pixels")
    assert (first.headers["Content-Type"], first.query, second.query) == (
        "application/octet-stream",
        {},
        {"threshold": ["0.5"]},
    )


def test_image_of_the_tenant_is_named_by_its_id(service: FakeService, client: Client, project: str, model: str) -> None:
    image = service.tenant.add_image(project, "a.jpg")
    assert client.models.predict(model, image).image == image
    assert service.received[0].json == {"image": image}


def test_picture_that_cannot_be_read_is_said(service: FakeService, client: Client, model: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        client.models.predict(model, "nowhere.jpg")
    assert raised.value.detail == "nowhere.jpg cannot be read: No such file or directory."
    assert service.received == []


def test_promoted_model_answers_for_its_project(client: Client, project: str, model: str) -> None:
    with pytest.raises(Conflict, match="No model of this project has been promoted"):
        client.projects.predict(project, b"pixels")
    assert client.models.promote(model).model == model
    assert client.projects.predict(project, b"pixels").model == model


def test_promotions_are_listed(service: FakeService, client: Client) -> None:
    line = {"id": "x", "project": "p", "model": "m1", "promoted_by": "a"}
    service.fail("GET", "/api/v1/projects/p/promotions", 200, {"next": None, "results": [line]})
    assert [item.model for item in client.projects.promotions("p")] == ["m1"]


def test_model_is_exported_and_its_hashes_checked(
    service: FakeService, client: Client, model: str, tmp_path: Path
) -> None:
    saved = client.models.export(model, tmp_path / "out")
    assert (saved.onnx, saved.manifest) == (tmp_path / "out" / "model.onnx", tmp_path / "out" / "manifest.json")
    assert (saved.onnx.read_bytes(), saved.manifest.read_bytes()) == (b"onnx", b"manifest")

    client.models.export(model, tmp_path / "again")
    assert len(service.requests("POST", ".*/export")) == 1
    assert client.models.onnx_url(model).startswith(f"{service.url}/s3/files/onnx?")


def test_export_that_fails_says_why(service: FakeService, client: Client, model: str, tmp_path: Path) -> None:
    error = {"code": "parity_failed", "message": "The graph disagrees.", "hint": "Ask support."}
    job = service.tenant.add_job(kind="export", state="FAILED", error=error)
    service.fail("POST", ".*/export", 202, {"model": model, "job": job}, headers={"Location": f"/api/v1/jobs/{job}"})
    with pytest.raises(NotDone) as raised:
        client.models.export(model, tmp_path)
    assert (raised.value.code, raised.value.detail, raised.value.hint) == tuple(error.values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("data", "read"), [(b'{"images": []}', {"images": []}), (b"<html>", None)])
def test_predictions_behind_the_evaluation_are_read(
    service: FakeService, client: Client, data: bytes, read: Any
) -> None:
    location = service.tenant.storage.address(hashlib.sha256(data).hexdigest(), data)
    service.fail("GET", "/api/v1/models/m/predictions", 302, headers={"Location": location})
    if read is not None:
        assert client.models.predictions("m") == read
    else:
        with pytest.raises(UnexpectedAnswer):
            client.models.predictions("m")


def test_statistics_are_read(client: Client, project: str) -> None:
    counted = client.projects.statistics(project)
    assert (counted.labelled, counted.unlabelled, counted.classes[0].boxes) == (2, 1, 3)
