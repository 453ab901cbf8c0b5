"""The third door: asking for background work, and what a handler is given when it does it.

`enqueue` writes a row in the caller's transaction. A worker later runs the handler registered for the job's kind,
with a `JobContext`. Handlers live with their app (`projects.tasks.ingest`); how they are dispatched, leased and
killed is the affair of `workers/`.
"""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tenants.models import Job, TenantQueue
from tenants.refusals import Refusal


class JobFailed(Exception):
    """A handler's expected failure: final, with words a customer can act on."""

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "hint": hint}


class Stopped(Exception):
    """Raised by `JobContext.check` when the handler must stop: cancel, drain, or a lease that was lost."""


class LeaseLost(RuntimeError):
    """The job was given to another worker; whatever this one still computes must not be published."""


class OnDuplicate(Enum):
    """What `enqueue` does when a job of the same kind and key is active."""

    OMIT = "omit"  # return the active one
    REJECT = "reject"  # raise DuplicateJob
    REPLACE = "replace"  # cancel the active one


class DuplicateJob(Refusal):
    code = "duplicate_job"

    def __init__(self, job: Job) -> None:
        super().__init__(
            "The same work is under way already.", hint="Wait for that job, or cancel it.", job=str(job.id)
        )


class JobContext(Protocol):
    """What a handler has of its job. It is called without an open scope, and opens short ones itself."""

    tenant_id: uuid.UUID
    job_id: uuid.UUID
    # With `job_id`, names checkpoints, so that an old attempt cannot overwrite a newer one's.
    token: int
    spec: Mapping[str, Any]
    # Dies with the job.
    scratch: Path
    # Child processes, started at first use: `decoder` and `engine`.
    children: Any

    def check(self) -> None:
        """Raises Stopped when the job must stop now. Handlers call it between steps."""

    def should_stop(self) -> bool: ...

    def progress(self, done: float, total: float, message: str = "", **figures: Any) -> None:
        """Shows the customer where the job is; `figures` are JSON, such as named losses or `eta_seconds`."""

    def publishing(self) -> AbstractContextManager[None]:
        """The tenant's scope, entered only while this attempt holds the lease; otherwise raises LeaseLost.

        The job's row stays locked until the transaction ends, so no other attempt can publish meanwhile.
        """


@dataclass(frozen=True)
class Kind:
    """A kind of job and who handles it. The handler returns the job's result, a JSON object."""

    name: str
    handler: Callable[[JobContext], dict[str, Any]]
    pool: str
    lane: Job.Lane
    max_attempts: int = field(default=5)


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Makes a kind known; called when its app is ready. Raises ValueError on a second one of the same name."""
    if kind.name in _kinds:
        raise ValueError(f"job kind {kind.name!r} is registered twice")
    _kinds[kind.name] = kind


def kind_named(name: str) -> Kind:
    """Raises KeyError when no installed app registers the kind."""
    return _kinds[name]


def registered_kinds() -> list[Kind]:
    return list(_kinds.values())


@dataclass(frozen=True)
class Forecast:
    """When a waiting job should start: its place in the queue and seconds until its turn; None where unknown."""

    queue_place: int | None = None
    eta_seconds: int | None = None


_forecasters: list[Callable[[Job], Forecast]] = []


def register_forecaster(forecaster: Callable[[Job], Forecast]) -> None:
    """Says who knows the queue and its workers; called when that app is ready."""
    _forecasters[:] = [forecaster]


def forecast(job: Job) -> Forecast:
    """What those who do the work say of a job; nothing where nobody was registered. In the tenant's scope."""
    return _forecasters[0](job) if _forecasters else Forecast()


def enqueue(
    *, kind: str, key: str, spec: Mapping[str, Any], on_duplicate: OnDuplicate = OnDuplicate.OMIT
) -> tuple[Job, bool]:
    """Asks for work, in the caller's transaction and scope. Returns the job and whether it is new.

    `(kind, key)` is idempotent while a job is active. Locks the tenant's queue row, and before it the row of a job
    that is replaced.
    """
    known = kind_named(kind)
    if on_duplicate is OnDuplicate.REPLACE:
        _cancel_active(kind=kind, key=key, pool=known.pool)
    queue = lock_queue(pool=known.pool)
    active = Job.objects.filter(kind=kind, key=key, state__in=Job.ACTIVE).first()
    if active is not None:
        if on_duplicate is OnDuplicate.OMIT:
            return active, False
        raise DuplicateJob(active)
    job = Job.objects.create(
        kind=kind,
        key=key,
        pool=known.pool,
        lane=known.lane,
        spec=dict(spec),
        max_attempts=known.max_attempts,
    )
    TenantQueue.objects.filter(id=queue.id).update(waiting=F("waiting") + 1)
    return job, True


def cancel(*, job_id: uuid.UUID) -> Job:
    """Cancels a job: at once while it waits, at its next check while it runs. Repeating it changes nothing.

    Raises Job.DoesNotExist when the tenant has no such job.
    """
    # The job's row before its queue's: who publishes holds the one, and may wait for the other to enqueue more.
    job = Job.objects.select_for_update().get(id=job_id)
    if job.state == Job.State.RUNNING:
        Job.objects.filter(id=job_id, cancel_requested_at=None).update(cancel_requested_at=timezone.now())
    elif job.state in Job.ACTIVE:
        _end_active(job, queue=lock_queue(pool=job.pool))
    job.refresh_from_db()
    return job


def lock_queue(*, pool: str) -> TenantQueue:
    """The tenant's queue row of a pool, made if missing, locked until the transaction ends."""
    queue = TenantQueue.objects.select_for_update().filter(pool=pool).first()
    if queue is None:
        TenantQueue.objects.bulk_create([TenantQueue(pool=pool)], ignore_conflicts=True)
        queue = TenantQueue.objects.select_for_update().get(pool=pool)
    return queue


def leave_queue(queue: TenantQueue, *, was: str) -> None:
    """Takes a job that was in state `was` out of the counters of its locked queue."""
    counter = "waiting" if was == Job.State.PENDING else "running"
    TenantQueue.objects.filter(id=queue.id).update(**{counter: F(counter) - 1})


class _Appeared(Exception):
    """A job was enqueued between the look at the jobs and the lock of their queue."""


def _cancel_active(*, kind: str, key: str, pool: str) -> None:
    """Cancels the active job of this key, running or not. The queue is locked then, so that no other appears."""
    while True:
        with suppress(_Appeared), transaction.atomic():  # a savepoint: taking it back gives the queue's lock back
            # In the order of `cancel`.
            known = Job.objects.select_for_update().filter(kind=kind, key=key, state__in=Job.ACTIVE).first()
            queue = lock_queue(pool=pool)
            active = Job.objects.filter(kind=kind, key=key, state__in=Job.ACTIVE).first()
            if active != known:
                raise _Appeared
            if active is not None:
                _end_active(active, queue=queue)
            return


def _end_active(job: Job, *, queue: TenantQueue) -> None:
    """Cancels a job whose row, and then its queue's, are locked."""
    # A running attempt finds its lease gone at the next heartbeat, and cannot publish.
    now = timezone.now()
    Job.objects.filter(id=job.id).update(
        state=Job.State.CANCELED, finished_at=now, cancel_requested_at=now, expires_at=None
    )
    leave_queue(queue, was=job.state)
