"""Publishing holds the job's row: nobody takes the job away meanwhile, and nobody waits for another in a circle."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from tenants import jobs
from tenants.jobs import LeaseLost
from tenants.models import Job
from tenants.scope import NoScope, current_tenant_id, tenant_scope
from tests.workers.queues import POOL, Works, expire, lease_of, with_own_connections
from workers.domain import dispatching, leases
from workers.domain.leases import Lease


def test_publishing_is_a_scope_that_ends_with_its_transaction(acme: Works) -> None:
    lease = lease_of(acme)

    with leases.publishing(lease):
        assert current_tenant_id() == acme.id
        Job.objects.filter(id=lease.job_id).update(worker="published")
    assert acme.job(lease.job_id).worker == "published"

    with pytest.raises(RuntimeError, match="midway"):
        _publish_half(lease)
    assert acme.job(lease.job_id).worker == "published"
    with pytest.raises(NoScope):
        current_tenant_id()


def _publish_half(lease: Lease) -> None:
    with leases.publishing(lease):
        Job.objects.filter(id=lease.job_id).update(worker="half")
        raise RuntimeError("midway")


def test_nobody_takes_a_job_away_while_it_publishes(acme: Works) -> None:
    """Late but alive: the reaper passes by, without waiting, and takes it afterwards."""
    lease = lease_of(acme)
    expire(acme, lease.job_id)
    reaped: list[int] = []
    reaper = threading.Thread(target=with_own_connections(lambda: reaped.append(dispatching.reap())))

    with leases.publishing(lease):
        reaper.start()
        reaper.join(30)
        assert reaped == [0]
        Job.objects.filter(id=lease.job_id).update(worker="published")

    assert acme.job(lease.job_id).worker == "published"
    assert dispatching.reap() == 1


def test_work_is_enqueued_while_publishing_though_the_job_is_being_canceled(acme: Works) -> None:
    """Publishing holds the job and wants the queue; a cancel must not hold the queue and want the job."""
    lease = lease_of(acme)
    asked = threading.Event()

    def cancel() -> None:
        asked.set()
        with tenant_scope(acme.id):
            jobs.cancel(job_id=lease.job_id)

    thread = threading.Thread(target=with_own_connections(cancel))
    with leases.publishing(lease):
        thread.start()
        asked.wait(30)
        thread.join(0.3)  # long enough for it to have taken whatever it takes first
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
        jobs.enqueue(kind="work", key="more", spec={})
    thread.join(30)

    assert not thread.is_alive()
    assert leases.renew(lease, progress=None) is True
    assert acme.counters() == (1, 1)


@pytest.mark.parametrize("end", ["succeed", "give_back"])
def test_a_job_ends_while_it_is_being_replaced(acme: Works, end: str) -> None:
    """Both touch the job and the queue: in one order, or each would wait for the other."""
    lease = lease_of(acme, key="a")
    lost: list[LeaseLost] = []

    def finish() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        try:
            leases.succeed(lease, result={}, progress={}) if end == "succeed" else leases.give_back(lease)
        except LeaseLost as error:
            lost.append(error)

    thread = threading.Thread(target=with_own_connections(finish))
    with tenant_scope(acme.id):
        assert Job.objects.filter(id=lease.job_id).update(cancel_requested_at=timezone.now())
        thread.start()
        thread.join(0.3)  # long enough for it to have taken whatever it takes first
        jobs.lock_queue(pool=POOL)
    thread.join(30)

    assert not thread.is_alive()
    assert not lost
    assert acme.states() == ["SUCCEEDED" if end == "succeed" else "CANCELED"]
    assert acme.counters() == (0, 0)
