"""What a customer is told of a waiting job: its place, and when it should start."""

import pytest

from tenants.models import Pool
from tenants.scope import NoScope, tenant_scope
from tests.workers.queues import POOL, Works, claim, make_works
from workers.domain import queries, registry
from workers.models import Worker


def _place(works: Works, job_id: object) -> int | None:
    with tenant_scope(works.id):
        return queries.queue_place(queries.job_named(job_id))  # type: ignore[arg-type]


def _eta(works: Works, job_id: object) -> int | None:
    with tenant_scope(works.id):
        job = queries.job_named(job_id)  # type: ignore[arg-type]
        return queries.eta_seconds(job, place=queries.queue_place(job))


def test_places_under_fair_turns_are_exact(acme: Works, bolt: Works) -> None:
    """The k-th job of a tenant starts after k - 1 of its own and at most k of each other tenant's."""
    third = make_works()
    mine = [acme.enqueue() for _ in range(3)]
    assert [_place(acme, job_id) for job_id in mine] == [1, 2, 3]

    for _ in range(2):
        bolt.enqueue()
    theirs = [third.enqueue() for _ in range(5)]

    assert [_place(acme, job_id) for job_id in mine] == [3, 6, 8]
    assert [_place(third, job_id) for job_id in theirs] == [3, 6, 8, 9, 10]


def test_a_place_is_the_worst_that_happens(acme: Works, bolt: Works) -> None:
    for works in (acme, bolt):
        works.set_queue(running_cap=100)
    mine = [acme.enqueue() for _ in range(4)]
    for _ in range(3):
        bolt.enqueue()
    promised = {job_id: _place(acme, job_id) for job_id in mine}
    order = [claim() for _ in range(7)]

    for job_id, place in promised.items():
        assert place is not None
        assert order.index(job_id) + 1 <= place


def test_a_job_that_left_the_queue_has_no_place(acme: Works) -> None:
    job_id = acme.enqueue()
    assert claim() == job_id

    assert _place(acme, job_id) is None
    assert _eta(acme, job_id) is None


def test_another_tenants_job_has_no_place(acme: Works, bolt: Works) -> None:
    job_id = bolt.enqueue()
    with tenant_scope(bolt.id):
        job = queries.job_named(job_id)

    with tenant_scope(acme.id):
        assert queries.queue_place(job) is None
    with tenant_scope(bolt.id):
        assert queries.queue_place(job) == 1
    assert queries.queue_place(job) is None, "nor without a scope"
    with pytest.raises(NoScope):
        queries.job_named(job_id)


def test_eta_is_place_by_pace(acme: Works) -> None:
    registry.enter(name="w", pool=POOL, slots=1)
    *_, last = [acme.enqueue() for _ in range(3)]
    for slots, service_seconds, eta in [(1, 10.0, 30), (2, 10.0, 15), (4, 2.5, 2), (0, 10.0, None)]:
        Worker.objects.update(slots=slots)
        Pool.objects.update(service_seconds=service_seconds)

        assert _eta(acme, last) == eta


def test_there_is_no_eta_without_a_living_worker(acme: Works) -> None:
    job_id = acme.enqueue()
    assert _eta(acme, job_id) is None

    worker = registry.enter(name="w", pool=POOL, slots=1)
    registry.enter(name="elsewhere", pool="gpu", slots=8)
    assert _eta(acme, job_id) == 2
    registry.drain(worker_id=worker)
    assert _eta(acme, job_id) is None
    assert Worker.objects.count() == 2
