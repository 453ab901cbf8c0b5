"""The demo's proof of isolation fails when there is none."""

from collections.abc import Iterator

import pytest

from deploy.demo.refusals import of_project, of_run, refuse
from deploy.demo.stack import DemoFailed
from myriad import Client
from tests.clients.sdk.fake_service import KEY, FakeService


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService().running() as running:
        yield running


@pytest.fixture
def bolt(service: FakeService) -> Iterator[Client]:
    with Client(service.url, KEY) as made:
        yield made


def test_ids_that_nobody_has_are_refused(bolt: Client, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(bolt, "run", "acmes", of_run(bolt))
    assert capsys.readouterr().out.splitlines() == [
        "demo: Bolt's key tries Acme's run:",
        "  GET    /runs/acmes  →  404",
        "  POST   /runs/acmes/cancel  →  404",
    ]


def test_answer_ends_the_demo(service: FakeService, bolt: Client) -> None:
    with pytest.raises(DemoFailed, match="was answered to Bolt: isolation is broken"):
        refuse(bolt, "run", service.tenant.add_run("acmes"), of_run(bolt))


def test_any_refusal_but_404_ends_the_demo(service: FakeService, bolt: Client) -> None:
    service.fail("GET", "/api/v1/runs/acmes", 403, {"code": "permission_denied", "detail": "Not yours."})
    with pytest.raises(DemoFailed, match="was answered to Bolt with 403, not 404: Not yours"):
        refuse(bolt, "run", "acmes", of_run(bolt))


def test_refusal_that_tells_more_than_that_of_a_missing_id_ends_the_demo(service: FakeService, bolt: Client) -> None:
    service.fail("GET", "/api/v1/runs/acmes", 404, {"code": "not_found", "detail": "It is another tenant's."})
    with pytest.raises(DemoFailed, match="tells Bolt that the id exists"):
        refuse(bolt, "run", "acmes", of_run(bolt))


def test_project_in_bolts_list_ends_the_demo(service: FakeService, bolt: Client) -> None:
    service.tenant.add_project("Acme's")
    with pytest.raises(DemoFailed, match="list of projects is not empty"):
        refuse(bolt, "project", "acmes", {name: attempt for name, attempt in of_run(bolt).items() if "GET" in name})


def test_every_step_of_a_project_is_tried(bolt: Client) -> None:
    steps = " ".join(of_project(bolt))
    assert all(step in steps for step in ("images", "annotations", "snapshots", "runs", "predict"))
