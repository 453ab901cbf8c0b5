"""Jobs given out and done in the test's own thread."""

import uuid
from typing import Any

import pytest
from django.db import connections

from tenants import jobs
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.isolation.world import Holdings
from workers.domain import dispatching, leases
from workers.domain.execution import execute_job
from workers.domain.leases import Lease


def dispatched(kind: str, owner: Holdings, spec: dict[str, Any]) -> uuid.UUID:
    """A new job of a tenant's, as if the dispatcher had just given it out."""
    with tenant_scope(owner.tenant):
        known = jobs.kind_named(kind)
        job = Job.objects.create(
            kind=kind,
            key=str(uuid.uuid4()),
            spec=spec,
            pool=known.pool,
            lane=known.lane,
            max_attempts=known.max_attempts,
            attempts=1,
            state=Job.State.DISPATCHED,
        )
    with connections["maint"].cursor() as cursor:
        cursor.execute("UPDATE tenants_tenantqueue SET running = 9")
    return job.id


def done(job_id: uuid.UUID, owner: Holdings) -> Job:
    """The job as it stands after one attempt."""
    execute_job(job_id=job_id, worker="isolation")
    with tenant_scope(owner.tenant):
        return Job.objects.get(id=job_id)


def lease_of(holdings: Holdings, job: str = "job") -> Lease:
    """A worker's hold on that of the tenant's jobs that wait."""
    with connections["maint"].cursor() as cursor:
        cursor.execute("UPDATE tenants_tenantqueue SET running_cap = 100")  # more of them wait than may run at once
    while (claimed := dispatching.claim(pool="cpu", short_only=False)) is not None:
        if claimed == getattr(holdings, job):
            lease = leases.take_lease(job_id=claimed, worker="isolation")
            assert lease is not None
            return lease
    pytest.fail("the job was not given out")
