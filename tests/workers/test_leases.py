"""A lease: taken once, kept by renewing, and worthless once another holds it."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants import jobs
from tenants.jobs import LeaseLost
from tenants.models import Job, Pool
from tenants.scope import tenant_scope
from tests.workers.queues import POOL, Works, claim, expire, lease_of
from workers.domain import dispatching, leases, registry
from workers.domain.leases import Lease

ERROR = {"code": "x", "message": "It broke.", "hint": "Mend it."}


def _publish(lease: Lease) -> None:
    with leases.publishing(lease):
        pytest.fail("published under a stale token")


WRITES: dict[str, Callable[[Lease], object]] = {
    "renew": lambda lease: leases.renew(lease, progress={"done": 1, "total": 2, "message": ""}),
    "publish": _publish,
    "succeed": lambda lease: leases.succeed(lease, result={"stale": True}, progress={}),
    "fail": lambda lease: leases.fail(lease, error=ERROR),
    "end_canceled": leases.end_canceled,
    "give_back": leases.give_back,
    "retry_later": lambda lease: leases.retry_later(lease, traceback="stale"),
}


def test_a_lease_says_what_is_to_be_done(acme: Works) -> None:
    lease = lease_of(acme, worker="host:1", images=["a"])

    job = acme.job(lease.job_id)
    assert (lease.tenant_id, lease.kind, lease.pool, lease.spec) == (acme.id, "work", POOL, {"images": ["a"]})
    assert (job.state, job.token, job.worker, job.attempts) == (Job.State.RUNNING, 1, "host:1", 1)
    assert job.started_at is not None
    assert job.expires_at is not None
    assert job.expires_at > timezone.now()


def test_late_and_doubled_wake_ups_do_nothing(acme: Works) -> None:
    lease = lease_of(acme)
    waiting = acme.enqueue()

    assert leases.take_lease(job_id=lease.job_id, worker="other") is None, "runs already"
    assert leases.take_lease(job_id=waiting, worker="other") is None, "was not dispatched, or went back"
    leases.succeed(lease, result={}, progress={})
    assert leases.take_lease(job_id=lease.job_id, worker="other") is None, "is done"
    assert leases.take_lease(job_id=uuid.uuid4(), worker="other") is None, "is gone"
    assert acme.job(lease.job_id).worker == "worker"
    assert acme.counters() == (1, 0)


@pytest.mark.parametrize("now", ["waiting", "dispatched", "running", "ended"])
def test_a_stale_token_writes_nothing(acme: Works, now: str) -> None:
    stale = lease_of(acme)
    expire(acme, stale.job_id)
    assert dispatching.reap() == 1
    if now != "waiting":
        assert claim() == stale.job_id
    fresh = leases.take_lease(job_id=stale.job_id, worker="new") if now in ("running", "ended") else None
    if now == "ended":
        assert fresh is not None
        leases.succeed(fresh, result={"fresh": True}, progress={})
    before = _row(acme, stale)

    for name, write in WRITES.items():
        with pytest.raises(LeaseLost):
            write(stale)
        assert _row(acme, stale) == before, name

    acme.counters()


def _row(works: Works, lease: Lease) -> dict[str, object]:
    with tenant_scope(works.id):
        return dict(Job.objects.filter(id=lease.job_id).values()[0])


def test_a_lease_that_ran_out_is_good_until_it_is_taken_away(acme: Works) -> None:
    lease = lease_of(acme)
    expire(acme, lease.job_id)

    leases.renew(lease, progress={"done": 1, "total": 2, "message": "half"})

    assert dispatching.reap() == 0
    assert acme.job(lease.job_id).progress == {"done": 1, "total": 2, "message": "half"}


def test_leases_run_by_the_databases_clock(acme: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose clock is an hour slow would otherwise lose every job at once."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: _real_now() - timedelta(hours=1))
    lease = lease_of(acme)
    leases.renew(lease, progress=None)
    monkeypatch.undo()

    assert dispatching.reap() == 0
    expires_at = acme.job(lease.job_id).expires_at
    assert expires_at is not None
    assert expires_at > timezone.now()


_real_now = timezone.now


def test_renewing_tells_of_a_cancel(acme: Works) -> None:
    lease = lease_of(acme)
    assert leases.renew(lease, progress=None) is False

    with tenant_scope(acme.id):
        jobs.cancel(job_id=lease.job_id)

    assert leases.renew(lease, progress=None) is True


def test_each_ending_is_counted_once(acme: Works) -> None:
    acme.set_queue(running_cap=100)
    leases.succeed(lease_of(acme), result={"n": 1}, progress={"done": 1})
    leases.fail(lease_of(acme), error=ERROR, traceback="for operators")
    leases.end_canceled(lease_of(acme))
    assert acme.states() == ["CANCELED", "FAILED", "SUCCEEDED"]
    assert acme.counters() == (0, 0)

    given_back = lease_of(acme)
    assert leases.give_back(given_back) == "PENDING"
    assert acme.job(given_back.job_id).attempts == 0
    assert acme.counters() == (1, 0)
    assert claim() == given_back.job_id


def test_a_failed_attempt_is_repeated_after_a_pause_that_grows(acme: Works) -> None:
    pauses = []
    job_id = acme.enqueue()
    for _ in range(4):
        assert claim() == job_id
        lease = leases.take_lease(job_id=job_id, worker="w")
        assert lease is not None
        before = timezone.now()
        leases.retry_later(lease, traceback="Traceback …")
        pauses.append((acme.job(job_id).due_at - before).total_seconds())
        assert claim() is None, "not before it is due"
        acme.change(job_id, due_at=timezone.now() - timedelta(seconds=1))

    assert [round(pause) for pause in pauses] == pytest.approx([2, 8, 32, 128], abs=2)
    assert acme.job(job_id).attempts == 4
    assert acme.job(job_id).traceback == "Traceback …"


@pytest.mark.parametrize("end", [leases.give_back, lambda lease: leases.retry_later(lease, traceback="")])
def test_a_job_that_was_to_be_canceled_does_not_go_back(acme: Works, end: Callable[[Lease], str]) -> None:
    lease = lease_of(acme)
    with tenant_scope(acme.id):
        jobs.cancel(job_id=lease.job_id)

    assert end(lease) == "CANCELED"

    assert acme.states() == ["CANCELED"]
    assert acme.counters() == (0, 0)


def test_a_success_teaches_the_pool_its_pace(acme: Works) -> None:
    registry.enter(name="w", pool=POOL, slots=1)
    before = Pool.objects.get(name=POOL).service_seconds

    leases.succeed(lease_of(acme), result={}, progress={})

    assert Pool.objects.get(name=POOL).service_seconds == pytest.approx(before * 0.9, abs=0.3)
