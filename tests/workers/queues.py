"""Tenants with queues, made without their people: what the tests of dispatching are about."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections
from django.utils import timezone
from psycopg2 import extensions

from tenants import jobs
from tenants.ids import uuid7
from tenants.models import Job, Quota, Tenant, TenantQueue
from tenants.scope import tenant_scope
from workers.domain import dispatching, leases
from workers.domain.leases import Lease

POOL = "cpu"
FILL = """
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, attempts, max_attempts, token,
                         worker, traceback, created_at, due_at)
SELECT uuidv7(), %s, 'work', md5(n::text || random()), 'cpu', %s, %s, '{}', '{}', 0, 5, 0, '', '', clock_timestamp(),
       clock_timestamp()
  FROM generate_series(1, %s) n
"""


@dataclass(frozen=True)
class Works:
    """A tenant."""

    id: uuid.UUID

    def enqueue(self, key: str = "", *, kind: str = "work", **spec: Any) -> uuid.UUID:
        with tenant_scope(self.id):
            return jobs.enqueue(kind=kind, key=key or str(uuid.uuid4()), spec=spec)[0].id

    def job(self, job_id: uuid.UUID) -> Job:
        with tenant_scope(self.id):
            return Job.objects.get(id=job_id)

    def change(self, job_id: uuid.UUID, **values: Any) -> None:
        """As the clock or a dying machine would."""
        with tenant_scope(self.id):
            Job.objects.filter(id=job_id).update(**values)

    def queue(self) -> TenantQueue:
        with tenant_scope(self.id):
            return TenantQueue.objects.get(pool=POOL)

    def set_queue(self, **values: Any) -> None:
        with tenant_scope(self.id):
            jobs.lock_queue(pool=POOL)
            TenantQueue.objects.update(**values)

    def states(self) -> list[str]:
        with tenant_scope(self.id):
            return sorted(Job.objects.values_list("state", flat=True))

    def counters(self) -> tuple[int, int]:
        """(waiting, running), after a check that they say what the jobs say."""
        with tenant_scope(self.id):
            queue = TenantQueue.objects.get(pool=POOL)
            waiting = Job.objects.filter(pool=POOL, state="PENDING").count()
            running = Job.objects.filter(pool=POOL, state__in=["DISPATCHED", "RUNNING"]).count()
        assert (queue.waiting, queue.running) == (waiting, running), "the counters have drifted"
        return waiting, running


def make_works(name: str = "Works") -> Works:
    tenant_id = uuid7()
    with tenant_scope(tenant_id):
        Tenant(id=tenant_id, name=name, slug=f"works-{tenant_id}").save(force_insert=True)
        Quota.objects.create()
        jobs.lock_queue(pool=POOL)
    return Works(tenant_id)


def fill(superuser: extensions.connection, works: Works, count: int, *, lane: str = "SHORT") -> None:
    """Enqueues many jobs in one statement."""
    with superuser.cursor() as cursor:
        cursor.execute(FILL, [str(works.id), lane, "PENDING", count])
        cursor.execute(
            "UPDATE tenants_tenantqueue SET waiting = waiting + %s WHERE tenant_id = %s", [count, str(works.id)]
        )


def claim(*, short_only: bool = False) -> uuid.UUID | None:
    return dispatching.claim(pool=POOL, short_only=short_only)


def claims(count: int, works: Sequence[Works]) -> list[int]:
    """Claims `count` jobs; the place in `works` of each one's tenant, in the order of the claims."""
    from tenants.domain.lookups import tenant_of_job

    places = {one.id: place for place, one in enumerate(works)}
    served: list[int] = []
    for _ in range(count):
        job_id = claim()
        assert job_id is not None, f"nothing to claim after {len(served)}"
        tenant_id = tenant_of_job(job_id=job_id)
        assert tenant_id is not None
        served.append(places[tenant_id])
    return served


def lease_of(works: Works, *, worker: str = "worker", **spec: Any) -> Lease:
    """Enqueues a job and takes it as far as a worker's lease on it."""
    job_id = works.enqueue(**spec)
    assert claim() == job_id
    lease = leases.take_lease(job_id=job_id, worker=worker)
    assert lease is not None
    return lease


def expire(works: Works, job_id: uuid.UUID) -> None:
    """Its grace or lease ran out a second ago."""
    works.change(job_id, expires_at=timezone.now() - timedelta(seconds=1))


def with_own_connections(work: Callable[[], None]) -> Callable[[], None]:
    """`work` for a thread: its connections are closed when it ends."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    return run
