"""Ingest that is stopped from outside, by a lost lease, a cancel or a drain: nothing is published half."""

from collections.abc import Callable
from typing import Any

import pytest

from projects.domain import ingest
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.files import photographs
from tests.projects.uploading import bring, complete, post, statuses
from tests.projects.working import READY, WAITS, Hand, expire, hasten, job_of, published, rows
from workers.children.decode import DecodeChild
from workers.domain import execution


def test_attempt_that_lost_its_lease_publishes_nothing(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for dead while it decoded, the worker comes back to find another one at its job."""
    images = bring(alice, project, *photographs(2))
    job_id, original, outcomes = job_of(alice, images[0]).id, ingest._store, []

    def store(*args: Any) -> None:
        monkeypatch.setattr(ingest, "_store", original)
        expire(alice, job_id)
        (again,) = hand.dispatched()
        outcomes.append(execution.execute_job(job_id=again, worker="other hand"))
        assert published(alice, *images)
        original(*args)

    monkeypatch.setattr(ingest, "_store", store)
    before: list[Any] = []
    monkeypatch.setattr(TenantStorage, "delete", _noting(before, TenantStorage.delete))

    assert hand.work() == [None]

    assert outcomes == ["SUCCEEDED"]
    assert published(alice, *images)
    job = job_of(alice, images[0])
    assert (job.state, job.worker, job.token, job.attempts) == ("SUCCEEDED", "other hand", 2, 2)
    assert len(before) == 1  # of the attempt that published


def _noting(calls: list[Any], original: Callable[..., None]) -> Callable[..., None]:
    def call(self: TenantStorage, keys: Any) -> None:
        calls.append(keys)
        original(self, keys)

    return call


def test_cancel_keeps_what_is_published_and_leaves_the_rest_for_another_job(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = bring(alice, project, *photographs(3))
    job_id = job_of(alice, images[0]).id
    monkeypatch.setattr(ingest, "CHUNK", 1)
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 0.05)
    original = ingest._publish

    def publish(context: Any, *args: Any) -> None:
        original(context, *args)
        post(alice, f"jobs/{job_id}/cancel", {})
        assert context.canceled.wait(timeout=10)

    monkeypatch.setattr(ingest, "_publish", publish)
    assert hand.work() == ["CANCELED"]

    assert rows(alice, *images) == [READY, WAITS, WAITS]
    assert len(storage.sizes("incoming", names=images)) == 2
    monkeypatch.undo()
    again = complete(alice, project, *images)
    assert statuses(again) == ["READY", "ARRIVED", "ARRIVED"]
    assert again.json()["jobs"] != [str(job_id)]
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, *images)


def test_drained_worker_gives_back_what_it_has_not_decoded(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM amid a chunk: what is decoded of it is thrown away, and the attempt does not count."""
    images = bring(alice, project, *photographs(3))
    original = DecodeChild.decode

    def decode(self: DecodeChild, batch: Any, **options: Any) -> Any:
        return original(self, batch, **options | {"on_result": lambda _: execution.draining.set()})

    monkeypatch.setattr(DecodeChild, "decode", decode)
    try:
        sent = hand.dispatched()
        assert [execution.execute_job(job_id=job_id, worker="hand") for job_id in sent] == ["PENDING"]
    finally:
        execution.draining.clear()
    assert rows(alice, *images) == [WAITS] * 3

    monkeypatch.undo()
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, *images)
    assert job_of(alice, images[0]).attempts == 1
