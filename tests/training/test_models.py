"""Models as their owner sees them: evaluation, lineage, files, and the export."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from tenants.models import AuditEvent, Job
from tenants.scope import tenant_scope
from tests.projects.uploading import post
from tests.projects.working import hasten
from tests.training.computing import INTERVAL
from tests.training.making import CLASSES, Works
from training import exporter
from training.models import Evaluation, Model


@pytest.fixture
def model(works: Works, snapshot: str) -> str:
    return works.trained(seed=2)


def fetched(works: Works, path: str) -> bytes:
    """What the address that a route redirects to answers."""
    answer = works.person.api.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store"), answer.content
    got = httpx.get(answer.headers["Location"])
    assert got.status_code == 200
    return got.content


def row(works: Works, model: str) -> Model:
    with tenant_scope(works.person.tenant.id):
        return Model.objects.get(id=model)


def test_model_shows_how_good_it_is_and_where_it_came_from(works: Works, snapshot: str, model: str) -> None:
    told = works.shown(f"models/{model}")
    assert (told["number"], told["snapshot"], told["recipe"], told["exported"]) == (1, snapshot, "fast", False)
    assert [label["name"] for label in told["classes"]] == list(CLASSES)
    evaluation = told["evaluation"]
    assert (evaluation["method"], evaluation["folds"], evaluation["snapshot"]) == ("OUT_OF_FOLD", 1, snapshot)
    assert (evaluation["image_count"], evaluation["box_count"]) == (4, 8)
    assert evaluation["metrics"]["ap50"] == INTERVAL
    assert evaluation["metrics"]["classes"][0] == told["classes"][0] | {
        "images": 4, "boxes": 4, "ap50": INTERVAL, "ap": None,
    }  # fmt: skip
    lineage = told["lineage"]
    assert (lineage["snapshot"], lineage["seed"], lineage["recipe"]["name"]) == (snapshot, 2, "fast")
    assert {"fingerprint", "backbone_sha256", "seconds", "torch", "version", "manifest_sha256"} <= set(lineage)
    listed = works.shown(f"projects/{works.project}/models")["results"]
    assert [(one["id"], one["evaluation"]) for one in listed] == [(model, evaluation)]


def test_predictions_are_fetched_by_a_short_lived_address(works: Works, model: str) -> None:
    data = fetched(works, f"models/{model}/predictions")
    assert len(json.loads(data)["images"]) == 4
    with tenant_scope(works.person.tenant.id):
        assert hashlib.sha256(data).hexdigest() == Evaluation.objects.get().predictions_sha256


def test_export_is_asked_for_once_and_then_there(works: Works, model: str) -> None:
    for name in ("onnx", "manifest"):
        early = works.person.api.get(f"/api/v1/models/{model}/export/{name}")
        assert (early.status_code, early.json()["code"]) == (409, "export_missing")
        assert "export" in early.json()["hint"]
    first, second = (post(works.person, f"models/{model}/export", {}) for _ in range(2))
    assert (first.status_code, first.headers["Location"]) == (202, f"/api/v1/jobs/{first.json()['job']}")
    assert second.json() == first.json() == {"model": model, "job": first.json()["job"]}
    assert works.hand.work() == ["SUCCEEDED"]

    onnx, manifest = (fetched(works, f"models/{model}/export/{name}") for name in ("onnx", "manifest"))
    told = works.shown(f"models/{model}")
    assert told["export"] == {
        "onnx_sha256": hashlib.sha256(onnx).hexdigest(),
        "onnx_size": len(onnx),
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }
    described = json.loads(manifest)
    assert (described["id"], described["evaluation"]["metrics"]["ap50"]) == (model, INTERVAL)
    assert works.storage.read(f"artifacts/{row(works, model).weights_sha256}", max_bytes=10**6) in onnx
    again = post(works.person, f"models/{model}/export", {})
    assert (again.status_code, again.json()) == (200, {"model": model, "job": None})
    with tenant_scope(works.person.tenant.id):
        assert Job.objects.filter(kind="export").count() == 1
        assert AuditEvent.objects.filter(action="model.exported").count() == 1


def test_export_of_damaged_files_fails_with_what_to_do(works: Works, model: str) -> None:
    works.storage.put(f"artifacts/{row(works, model).weights_sha256}", b"else", content_type="x/y")
    post(works.person, f"models/{model}/export", {})
    assert works.hand.work() == ["FAILED"]
    with tenant_scope(works.person.tenant.id):
        error = Job.objects.get(kind="export").error
    assert error is not None
    assert (error["code"], "heads.safetensors" in error["message"]) == ("model_damaged", True)
    assert row(works, model).export is None


def test_export_that_crashed_before_it_was_published_is_done_again(
    works: Works, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("ours")

    post(works.person, f"models/{model}/export", {})
    with monkeypatch.context() as patched:
        patched.setattr(exporter.audit, "record", crash)
        assert works.hand.work() == ["PENDING"]
    assert row(works, model).export is None
    hasten(works.person)
    assert works.hand.work() == ["SUCCEEDED"]
    assert row(works, model).export is not None


def test_model_of_a_deleted_project_is_gone(works: Works, model: str) -> None:
    assert works.person.api.delete(f"/api/v1/projects/{works.project}").status_code == 204
    for path in (f"models/{model}", f"models/{model}/predictions", f"projects/{works.project}/models"):
        assert works.person.api.get(f"/api/v1/{path}").status_code == 404
