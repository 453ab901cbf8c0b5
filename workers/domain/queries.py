"""Reads: jobs as the customer sees them, and whether dispatcher and workers live."""

import math
import uuid

from django.db import connection
from django.db.models import QuerySet, Sum

from tenants.jobs import Forecast
from tenants.models import Job, Pool
from tenants.refusals import Invalid, NotFound
from workers.domain.dispatching import alive_since
from workers.models import Dispatcher, Worker


def jobs(*, state: str | None = None, kind: str | None = None) -> QuerySet[Job]:
    """The tenant's jobs, without what may be long and is not shown. Raises Invalid on a state that cannot be."""
    rows = Job.objects.defer("spec", "traceback")
    if state is not None:
        if state not in Job.State.values:
            raise Invalid("state", f"`state` must be one of {', '.join(Job.State.values)}.")
        rows = rows.filter(state=state)
    if kind is not None:
        rows = rows.filter(kind=kind)
    return rows


def job_named(job_id: uuid.UUID) -> Job:
    """Raises NotFound when it is missing or another tenant's."""
    job = Job.objects.filter(id=job_id).first()
    if job is None:
        raise NotFound
    return job


def queue_place(job: Job) -> int | None:
    """How many jobs start before this one at worst, itself included, if turns stay as they are; None once it left."""
    if job.state != Job.State.PENDING:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_place(%s)", [str(job.id)])
        place: int | None = cursor.fetchone()[0]
        return place


def eta_seconds(job: Job, *, place: int | None) -> int | None:
    """Seconds until a waiting job should start, from its place and the pool's pace; None when no worker lives."""
    if place is None:
        return None
    pool = Pool.objects.filter(name=job.pool).first()
    slots = _live_workers().filter(pool=job.pool).aggregate(total=Sum("slots"))["total"]
    if pool is None or not slots:
        return None
    seconds: int = math.ceil(place * pool.service_seconds / slots)
    return seconds


def forecast(job: Job) -> Forecast:
    """Both figures, for the apps below that show a job of theirs (`tenants.jobs.forecast`)."""
    place = queue_place(job)
    return Forecast(queue_place=place, eta_seconds=eta_seconds(job, place=place))


def live_worker_count() -> int:
    return _live_workers().count()


def dispatcher_is_alive() -> bool:
    return Dispatcher.objects.filter(seen_at__gt=alive_since()).exists()


def _live_workers() -> QuerySet[Worker]:
    return Worker.objects.filter(draining=False, seen_at__gt=alive_since())
