"""A worker's hold on a job: taken, renewed, given back, or ended. Each write names the token, and a stale one loses.

Here a running job's row is locked before its tenant's queue row, as it must be where a handler publishes and enqueues
in one transaction. (A waiting job's is locked after it; the dispatcher, which meets both, waits for neither.) Leases
run by the database's clock, since those of the machines differ.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

from tenants.domain.lookups import tenant_of_job
from tenants.jobs import LeaseLost
from tenants.models import Job, Pool, TenantQueue
from tenants.scope import tenant_scope

# Of the newest job in the moving average of a pool's service time.
_NEWEST_SHARE = 0.1
# Seconds before an attempt that failed on our side is repeated, four times as many each time: five attempts take three
# minutes, in which S3 or the database may be restarted.
_RETRY_SECONDS, _RETRY_GROWTH, _RETRY_CAP = 2, 4, 600


@dataclass(frozen=True)
class Lease:
    """What a worker may do: this job, under this token."""

    tenant_id: uuid.UUID
    job_id: uuid.UUID
    kind: str
    pool: str
    token: int
    attempts: int
    max_attempts: int
    spec: dict[str, Any]
    started_at: datetime


def take_lease(*, job_id: uuid.UUID, worker: str) -> Lease | None:
    """Takes a dispatched job. None when the message was late, doubled, or for a job that is gone."""
    tenant_id = tenant_of_job(job_id=job_id)
    if tenant_id is None:
        return None
    now = timezone.now()
    with tenant_scope(tenant_id):
        taken = Job.objects.filter(id=job_id, state=Job.State.DISPATCHED).update(
            state=Job.State.RUNNING,
            token=F("token") + 1,
            worker=worker,
            started_at=now,
            expires_at=_lease_end(),
            error=None,
        )
        if not taken:
            return None
        job = Job.objects.get(id=job_id)
        return Lease(
            tenant_id=tenant_id,
            job_id=job_id,
            kind=job.kind,
            pool=job.pool,
            token=job.token,
            attempts=job.attempts,
            max_attempts=job.max_attempts,
            spec=job.spec,
            started_at=now,
        )


def renew(lease: Lease, *, progress: dict[str, Any] | None) -> bool:
    """Renews the lease and shows progress; returns whether the customer asked to cancel. Raises LeaseLost."""
    changes: dict[str, Any] = {"expires_at": _lease_end()}
    if progress is not None:
        changes["progress"] = progress
    with tenant_scope(lease.tenant_id):
        if not _held(lease).update(**changes):
            raise LeaseLost(f"job {lease.job_id} is no longer ours (token {lease.token})")
        return Job.objects.filter(id=lease.job_id, cancel_requested_at__isnull=False).exists()


@contextmanager
def publishing(lease: Lease) -> Iterator[None]:
    """The tenant's scope with the job's row locked under our token; raises LeaseLost when it is not ours.

    Work may be enqueued inside: nobody who holds a queue's row waits for a running job's.
    """
    with tenant_scope(lease.tenant_id):
        if not _held(lease).select_for_update().exists():
            raise LeaseLost(f"job {lease.job_id} is no longer ours (token {lease.token})")
        yield


def succeed(lease: Lease, *, result: dict[str, Any], progress: dict[str, Any]) -> str:
    """Ends the job well and returns its state. Raises LeaseLost."""
    ended = _end(lease, state=Job.State.SUCCEEDED, result=result, progress=progress)
    _learn_service_time(lease)
    return ended


def fail(lease: Lease, *, error: dict[str, str], traceback: str = "") -> str:
    """Ends the job with an error the customer can act on; the traceback is for operators. Raises LeaseLost."""
    return _end(lease, state=Job.State.FAILED, error=error, traceback=traceback)


def end_canceled(lease: Lease) -> str:
    """Raises LeaseLost."""
    return _end(lease, state=Job.State.CANCELED)


def give_back(lease: Lease) -> str:
    """Returns the job to its place in the queue, unfinished; a drained worker's attempt does not count.

    A job that is to be canceled is ended instead. Returns the state it is left in. Raises LeaseLost.
    """
    return _requeue(lease, attempts=F("attempts") - 1)


def retry_later(lease: Lease, *, traceback: str) -> str:
    """As `give_back`, after a failure of ours: the attempt counts, and the next one follows after a pause."""
    pause = min(_RETRY_SECONDS * _RETRY_GROWTH ** (lease.attempts - 1), _RETRY_CAP)
    return _requeue(lease, due_at=Now() + timedelta(seconds=pause), traceback=traceback)


def _lease_end() -> CombinedExpression:
    return Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)


def _held(lease: Lease) -> QuerySet[Job]:
    return Job.objects.filter(id=lease.job_id, token=lease.token, state=Job.State.RUNNING)


def _queue(lease: Lease) -> QuerySet[TenantQueue]:
    return TenantQueue.objects.filter(pool=lease.pool)


def _end(lease: Lease, *, state: str, **changes: Any) -> str:
    with tenant_scope(lease.tenant_id):
        if not _held(lease).update(state=state, finished_at=timezone.now(), expires_at=None, **changes):
            raise LeaseLost(f"job {lease.job_id} is no longer ours (token {lease.token})")
        _queue(lease).update(running=F("running") - 1)
    return state


def _requeue(lease: Lease, **changes: Any) -> str:
    with tenant_scope(lease.tenant_id):
        wanted = _held(lease).filter(cancel_requested_at=None)
        if not wanted.update(state=Job.State.PENDING, expires_at=None, **changes):
            return end_canceled(lease)
        _queue(lease).update(running=F("running") - 1, waiting=F("waiting") + 1)
    return Job.State.PENDING


def _learn_service_time(lease: Lease) -> None:
    seconds = (timezone.now() - lease.started_at).total_seconds()
    Pool.objects.filter(name=lease.pool).update(
        service_seconds=F("service_seconds") * (1 - _NEWEST_SHARE) + seconds * _NEWEST_SHARE
    )
