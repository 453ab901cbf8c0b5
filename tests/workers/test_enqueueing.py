"""Asking for work: in the caller's transaction, once a key, counted exactly."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tenants import jobs
from tenants.ids import uuid7
from tenants.jobs import DuplicateJob, Kind, OnDuplicate
from tenants.models import Job, TenantQueue
from tenants.scope import NoScope, tenant_scope
from tests.workers.conftest import Register
from tests.workers.queues import POOL, Works, claim, lease_of, with_own_connections
from workers.domain import leases


def _enqueue(works: Works, key: str, on_duplicate: OnDuplicate = OnDuplicate.OMIT) -> tuple[Job, bool]:
    with tenant_scope(works.id):
        return jobs.enqueue(kind="work", key=key, spec={}, on_duplicate=on_duplicate)


def _enqueue_and_think_better(works: Works) -> None:
    with tenant_scope(works.id):
        jobs.enqueue(kind="work", key="a", spec={})
        raise RuntimeError("never mind")


def test_it_stands_or_falls_with_the_callers_transaction(acme: Works) -> None:
    with pytest.raises(RuntimeError, match="never mind"):
        _enqueue_and_think_better(acme)

    assert acme.states() == []
    assert acme.counters() == (0, 0)
    assert claim() is None


def test_it_takes_a_scope_and_a_known_kind(acme: Works) -> None:
    with pytest.raises(NoScope):
        jobs.enqueue(kind="work", key="a", spec={})
    with tenant_scope(acme.id), pytest.raises(KeyError):
        jobs.enqueue(kind="unheard_of", key="a", spec={})


def test_a_kind_is_registered_once(register: Register) -> None:
    kind = register(lambda _context: {}, name="once")
    with pytest.raises(ValueError, match="twice"):
        jobs.register(Kind(name="once", handler=kind.handler, pool=POOL, lane=Job.Lane.LONG))
    assert kind in jobs.registered_kinds()


def test_an_active_job_of_the_same_key_is_taken_for_the_new_one(acme: Works) -> None:
    first, new = _enqueue(acme, "a")
    assert new
    for _ in range(2):  # while it waits, and while it is dispatched
        again, new = _enqueue(acme, "a")
        assert (again.id, new) == (first.id, False)
        claim()
    other, new = _enqueue(acme, "b")
    assert new
    assert other.id != first.id
    assert acme.counters() == (1, 1)


def test_once_it_has_ended_the_key_is_free(acme: Works) -> None:
    lease = lease_of(acme, key="a")
    leases.succeed(lease, result={}, progress={})

    job, new = _enqueue(acme, "a", OnDuplicate.REJECT)

    assert new
    assert job.id != lease.job_id


def test_a_duplicate_can_be_refused(acme: Works) -> None:
    first, _ = _enqueue(acme, "a")

    with pytest.raises(DuplicateJob) as raised:
        _enqueue(acme, "a", OnDuplicate.REJECT)

    assert raised.value.extra == {"job": str(first.id)}
    assert raised.value.hint
    assert acme.counters() == (1, 0)


@pytest.mark.parametrize("state", ["PENDING", "DISPATCHED", "RUNNING"])
def test_a_duplicate_can_replace_the_first(acme: Works, state: str) -> None:
    first, _ = _enqueue(acme, "a")
    if state != "PENDING":
        assert claim() == first.id
    if state == "RUNNING":
        assert leases.take_lease(job_id=first.id, worker="w") is not None

    second, new = _enqueue(acme, "a", OnDuplicate.REPLACE)

    assert new
    assert acme.job(first.id).state == "CANCELED"
    assert acme.job(second.id).state == "PENDING"
    assert acme.counters() == (1, 0)


def test_keys_are_each_tenants_own(acme: Works, bolt: Works) -> None:
    mine, _ = _enqueue(acme, "a")
    theirs, new = _enqueue(bolt, "a", OnDuplicate.REJECT)

    assert new
    assert mine.id != theirs.id


def test_many_at_once_make_one_job_and_one_queue(acme: Works) -> None:
    with tenant_scope(acme.id):
        TenantQueue.objects.all().delete()
    made: list[bool] = []

    def ask() -> None:
        made.append(_enqueue(acme, "the same")[1])

    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(with_own_connections(ask)) for _ in range(8)]:
            one.result(timeout=60)

    assert sorted(made) == [False] * 7 + [True]
    assert acme.counters() == (1, 0)


def test_canceling_a_job_that_is_not_there(acme: Works, bolt: Works) -> None:
    theirs, _ = _enqueue(bolt, "a")
    for job_id in (uuid7(), theirs.id):
        with tenant_scope(acme.id), pytest.raises(Job.DoesNotExist):
            jobs.cancel(job_id=job_id)
