import pytest

from myriad import Client, Conflict, NotDone, Run, ValidationFailed
from tests.clients.sdk.fake_service import FakeService


def test_run_is_started_and_followed_to_its_model(service: FakeService, client: Client, project: str) -> None:
    service.tenant.add_snapshot(project)
    losses = {"class": 0.5, "box": 0.25}
    running = {"done": 10.5, "total": 1500.0, "message": "fold 1 of 3", "losses": losses}
    service.tenant.course = [
        {"state": "RUNNING", "queue_place": None, "eta_seconds": 61, "progress": running},
        {"state": "SUCCEEDED", "eta_seconds": None, "model": "m1"},
    ]
    seen: list[Run] = []

    started = client.runs.start(project, seed=3)
    ended = client.runs.wait(started.id, on_progress=seen.append)

    assert (started.state, started.queue_place, started.seed, started.is_final) == ("PENDING", 2, 3, False)
    assert (seen[0].progress.done, seen[0].progress.losses, seen[0].eta_seconds) == (10.5, losses, 61)
    assert (ended.state, ended.model, ended.is_final) == ("SUCCEEDED", "m1", True)
    assert service.requests("POST", ".*/runs")[0].json == {"recipe": "fast", "seed": 3}


def test_run_is_started_on_the_snapshot_named(service: FakeService, client: Client, project: str) -> None:
    snapshot = service.tenant.add_snapshot(project)
    assert client.runs.start(project, snapshot_id=snapshot).snapshot == snapshot


def test_refusals_say_what_to_do(client: Client, project: str) -> None:
    with pytest.raises(Conflict) as raised:
        client.runs.start(project)
    assert (raised.value.code, raised.value.hint) == ("no_snapshot", "Create a snapshot.")
    with pytest.raises(ValidationFailed):
        client.runs.start(project, recipe="magic")


def test_wait_that_takes_too_long_ends(service: FakeService, client: Client, project: str) -> None:
    run = service.tenant.add_run(project, state="RUNNING")
    with pytest.raises(NotDone) as raised:
        client.runs.wait(run, timeout=0)
    assert raised.value.hint == f"It goes on; see `myriad run watch {run}`."


def test_run_is_canceled_and_listed(service: FakeService, client: Client, project: str) -> None:
    run = service.tenant.add_run(project)
    assert client.runs.cancel(run).state == "CANCELED"
    assert [item.number for item in client.runs.list(project)] == [1]
    assert client.runs.find("1", project_id=project).id == run
