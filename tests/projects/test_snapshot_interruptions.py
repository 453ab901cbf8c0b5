"""Snapshots whose job is stopped from outside, by a lost lease, a cancel or a drain: nothing is published half."""

from typing import Any

import pytest

from projects.domain import freezing
from projects.domain.manifests import load_manifest
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.projects.labelled import label, shown, snapshot_of, snapshot_row
from tests.projects.test_snapshot_crashes import asked, half, whole
from tests.projects.uploading import post
from tests.projects.working import Hand, expire, jobs_of
from workers.domain import execution

__all__ = ["asked"]  # the fixture


def test_attempt_that_lost_its_lease_publishes_nothing(
    alice: Person, asked: dict[str, Any], hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for dead while it stored, the worker comes back to find the snapshot made of newer annotations."""
    original, outcomes = freezing._store, []
    (image,) = [line for line in images_of(alice, asked) if line["filename"] == "b.png"]

    def store(*args: Any) -> None:
        original(*args)
        monkeypatch.setattr(freezing, "_store", original)
        label(alice, image["id"], ("dent", 7, 7, 7, 7))
        expire(alice, jobs_of(alice)[0].id)
        (again,) = hand.dispatched()
        outcomes.append(execution.execute_job(job_id=again, worker="other hand"))

    monkeypatch.setattr(freezing, "_store", store)

    assert hand.work() == [None]
    assert outcomes == ["SUCCEEDED"]
    snapshot = snapshot_row(alice, asked)
    assert (snapshot.status, snapshot.box_count) == ("READY", 2)
    assert sum(len(image.boxes) for image in load_manifest(snapshot=snapshot, storage=storage).images) == 2
    assert (jobs_of(alice)[0].worker, jobs_of(alice)[0].token) == ("other hand", 2)


def images_of(person: Person, asked: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = person.api.get(f"/api/v1/projects/{asked['project']}/images").json()["results"]
    return listed


@pytest.mark.parametrize("failed", [False, True])
def test_attempt_whose_job_waits_for_another_worker_writes_nothing(
    alice: Person, asked: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    """Neither its manifest nor its failure: the row is left to who has the lease next."""
    original, sent = freezing._store, []

    def store(*args: Any) -> None:
        original(*args)
        expire(alice, jobs_of(alice)[0].id)
        sent.extend(hand.dispatched())
        if failed:
            raise freezing.JobFailed("snapshot_too_large", "Too large.", hint="Less.")

    monkeypatch.setattr(freezing, "_store", store)
    (first,) = hand.dispatched()
    assert execution.execute_job(job_id=first, worker="hand") is None
    snapshot = snapshot_row(alice, asked)
    assert (snapshot.status, snapshot.error, half(snapshot)) == ("BUILDING", None, False)

    monkeypatch.undo()
    assert [execution.execute_job(job_id=job_id, worker="other hand") for job_id in sent] == ["SUCCEEDED"]
    assert whole(alice, asked)


def test_failure_of_an_attempt_that_lost_its_lease_is_not_the_snapshot_s(
    alice: Person, asked: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = freezing._store

    def store(*args: Any) -> None:
        monkeypatch.setattr(freezing, "_store", original)
        expire(alice, jobs_of(alice)[0].id)
        (again,) = hand.dispatched()
        assert execution.execute_job(job_id=again, worker="other hand") == "SUCCEEDED"
        raise freezing.JobFailed("snapshot_too_large", "Too large.", hint="Less.")

    monkeypatch.setattr(freezing, "_store", store)

    assert hand.work() == [None]
    assert whole(alice, asked)


@pytest.mark.parametrize("when", ["_read", "_store"])
def test_cancel_leaves_it_failed_and_empty(
    alice: Person, asked: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 0.05)
    stopped = execution.Context.should_stop
    original = getattr(freezing, when)

    def work(*args: Any) -> Any:
        done = original(*args)
        monkeypatch.setattr(execution.Context, "should_stop", patiently)
        return done

    def patiently(context: execution.Context) -> bool:
        post(alice, f"jobs/{asked['job']}/cancel", {})
        assert context.canceled.wait(timeout=10)
        return stopped(context)

    monkeypatch.setattr(freezing, when, work)
    assert hand.work() == ["CANCELED"]

    now = shown(alice, asked)
    assert (now["status"], now["error"]["code"], now["image_count"]) == ("FAILED", "snapshot_canceled", 0)
    assert now["error"]["hint"]
    assert not half(snapshot_row(alice, asked))
    assert alice.api.get(f"/api/v1/projects/{asked['project']}/snapshots").json()["results"] == [now]


def test_canceled_before_it_began_it_is_failed_and_the_next_is_another_number(
    alice: Person, project: str, asked: dict[str, Any], hand: Hand
) -> None:
    post(alice, f"jobs/{asked['job']}/cancel", {})
    assert hand.work() == []
    assert shown(alice, asked)["error"]["code"] == "snapshot_canceled"

    second = snapshot_of(alice, project)
    assert hand.work() == ["SUCCEEDED"]
    assert (second["number"], whole(alice, second)) == (2, True)


def test_given_up_after_all_attempts_it_says_what_the_job_says(
    alice: Person, asked: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenant_scope(alice.tenant.id):
        Job.objects.update(max_attempts=1)

    def away(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("S3 is away")

    monkeypatch.setattr(TenantStorage, "put_once", away)
    assert hand.work() == ["FAILED"]

    now = shown(alice, asked)
    assert (now["status"], now["error"]["code"]) == ("FAILED", "job_crashed")
    assert "S3 is away" not in str(now)


def test_drained_worker_gives_it_back(
    alice: Person, asked: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = freezing._store

    def store(*args: Any) -> None:
        original(*args)
        execution.draining.set()

    monkeypatch.setattr(freezing, "_store", store)
    sent = hand.dispatched()
    try:
        assert [execution.execute_job(job_id=job_id, worker="hand") for job_id in sent] == ["PENDING"]
    finally:
        execution.draining.clear()
    assert shown(alice, asked)["status"] == "BUILDING"
    monkeypatch.undo()
    assert hand.work() == ["SUCCEEDED"]
    assert whole(alice, asked)
    assert jobs_of(alice)[0].attempts == 1
