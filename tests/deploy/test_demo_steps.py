"""Acme's steps in order, against the stand-in of the SDK's tests: what is said, what is sent, what is drawn."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from deploy.demo import acme as steps
from deploy.demo.photographs import Photographs, from_coco
from deploy.demo.stack import DemoFailed
from myriad import Client, Project
from tests.clients.sdk.fake_service import KEY, FakeService


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService().running() as running:
        yield running


@pytest.fixture
def acme(service: FakeService) -> Iterator[Client]:
    with Client(service.url, KEY, pause=lambda _: None) as made:
        yield made


@pytest.fixture
def photographs(tmp_path: Path) -> Photographs:
    """Twelve, each with one dent, of which two are held out."""
    (tmp_path / "images").mkdir()
    described: dict[str, list[object]] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "dent"}]}
    for number in range(12):
        Image.new("L", (80, 60), 20 * number).save(tmp_path / "images" / f"{number}.png")
        described["images"].append({"id": number, "file_name": f"{number}.png"})
        box = {"id": number, "image_id": number, "category_id": 1, "bbox": [10, 20, 30, 15]}
        described["annotations"].append(box)
    (tmp_path / "annotations.json").write_text(json.dumps(described))
    return from_coco(tmp_path)


def labelled(service: FakeService) -> set[str]:
    return {image["filename"] for image in service.tenant.images.values() if image["annotation"]}


def test_steps_lead_from_photographs_to_a_drawn_prediction(
    service: FakeService,
    acme: Client,
    photographs: Photographs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = steps.inspect(acme, photographs)
    annotation = steps.label(acme, project, photographs)
    assert annotation in service.tenant.annotations
    assert labelled(service) == set(photographs.learned)

    snapshot = steps.freeze(acme, project)
    model_id = service.tenant.add_model(project.id)
    service.tenant.course = [{"state": "SUCCEEDED", "model": model_id}]
    model = steps.report(acme, steps.train(acme, project, snapshot))
    steps.serve(acme, project, model, photographs, sheet=tmp_path / "out" / "predictions.png")

    said = capsys.readouterr().out
    assert "demo: Acme labelled 10 photographs with 10 boxes; 2 are left out.\n" in said
    assert "\ndent     12      1,015  0.61  0.42-0.78 " in said
    assert "demo: Of the 2 photographs left out, at a score of 0.3: 2 of 2 defects found, 2 false alarms.\n" in said
    assert service.tenant.projects[project.id]["promoted"] == model.id
    asked = [request.json["image"] for request in service.requests("POST", f"/api/v1/models/{model.id}/predict")]
    assert {service.tenant.images[image]["filename"] for image in asked} == set(photographs.held_out)
    with Image.open(tmp_path / "out" / "predictions.png") as sheet:
        assert sheet.width > 2 * 640


def test_run_that_fails_ends_the_demo(service: FakeService, acme: Client) -> None:
    project = Project(id=service.tenant.add_project("Casings"), name="Casings", kind="DETECTION")
    snapshot = acme.snapshots.get(service.tenant.add_snapshot(project.id))
    error = {"code": "too_few_groups", "message": "All images show one part.", "hint": "Add other parts."}
    service.tenant.course = [{"state": "FAILED", "error": error}]
    with pytest.raises(DemoFailed, match=r"the run ended as FAILED: .*All images show one part"):
        steps.train(acme, project, snapshot)


def test_annotation_that_is_refused_ends_the_demo(service: FakeService, acme: Client, photographs: Photographs) -> None:
    project = steps.inspect(acme, photographs)
    gone = next(name for name, image in service.tenant.images.items() if image["filename"] in photographs.learned)
    del service.tenant.images[gone]
    with pytest.raises(DemoFailed, match="1 annotations were not taken"):
        steps.label(acme, project, photographs)
