"""Handing out work: fair claims, sent only to free slots, and the reaper of what was not taken or not finished."""

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from django.conf import settings
from django.db import connection, connections
from django.db.models import Sum
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from tenants.models import Pool
from workers.models import Dispatcher, Worker

logger = logging.getLogger(__name__)

# Any number, the same for all: PostgreSQL's advisory lock that lets one dispatcher turn at a time.
ADVISORY_LOCK = 7_301_224
# What a customer reads when a job's worker died under it `max_attempts` times.
INTERRUPTED = {
    "code": "job_interrupted",
    "message": "The work was broken off too often and has been given up.",
    "hint": "Start it again; if it breaks off once more, send the operator the job's id.",
}


class Send(Protocol):
    """Wakes a worker of `pool` for a job. May raise OSError: the job then goes back when its grace ends."""

    def __call__(self, *, job_id: uuid.UUID, pool: str) -> None: ...


@dataclass(frozen=True)
class Turn:
    """What one turn of the dispatcher did."""

    sent: int
    reaped: int


def claim(*, pool: str, short_only: bool) -> uuid.UUID | None:
    """Claims the next job of a pool by fair turns and marks it DISPATCHED; None when there is none to be had."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT claim_job(%s, %s, %s)", [pool, short_only, settings.JOB_DISPATCH_SECONDS])
        claimed: uuid.UUID | None = cursor.fetchone()[0]
        return claimed


def reap(*, most: int = 100) -> int:
    """Returns up to `most` jobs whose grace or lease ran out to their queues (or ends them); how many."""
    for count in range(most):
        with connection.cursor() as cursor:
            cursor.execute("SELECT reap_job(%s)", [json.dumps(INTERRUPTED)])
            if cursor.fetchone()[0] is None:
                return count
    return most


def free_slots(pool: Pool) -> tuple[int, int]:
    """(slots free for any job, slots free for short ones only) of the pool's live workers that do not drain."""
    alive = Worker.objects.filter(pool=pool.name, draining=False, seen_at__gt=alive_since())
    slots = alive.aggregate(total=Sum("slots"))["total"] or 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT running, running_long FROM pool_load(%s)", [pool.name])
        running, running_long = cursor.fetchone()
    free = max(slots - running, 0)
    # What is reserved is kept from long jobs, not from all: a stream of short ones must not keep the long ones out
    # for ever. A lone slot is not reserved, or long jobs would never run.
    reserved = max(min(pool.short_slots, slots - 1), 0)
    for_any = min(free, max(slots - reserved - running_long, 0))
    return for_any, free - for_any


def turn(*, send: Send) -> Turn:
    """One turn: reap what is late, then fill the free slots of each pool (late binding: never more than that)."""
    Dispatcher.objects.update_or_create(id=1, defaults={"seen_at": Now()})
    reaped = reap()
    sent = sum(_fill(pool, send=send) for pool in Pool.objects.all())
    return Turn(sent=sent, reaped=reaped)


def _fill(pool: Pool, *, send: Send) -> int:
    for_any, for_short = free_slots(pool)
    sent = 0
    for short_only, free in ((False, for_any), (True, for_short)):
        for _ in range(free):
            job_id = claim(pool=pool.name, short_only=short_only)
            if job_id is None:
                break
            sent += 1
            try:
                send(job_id=job_id, pool=pool.name)
            except OSError as error:
                # The row is the queue: after its grace the reaper returns the job, and no attempt is counted.
                logger.warning("the broker does not answer: %s", error)
                return sent
    return sent


def is_sole_dispatcher() -> bool:
    """Tries the advisory lock on the unpooled connection `direct`; it is held until that connection ends."""
    with connections["direct"].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
        got: bool = cursor.fetchone()[0]
        return got


def confirm_lock() -> None:
    """Raises DatabaseError when the connection that holds the lock is gone."""
    with connections["direct"].cursor() as cursor:
        cursor.execute("SELECT 1")


def alive_since() -> CombinedExpression:
    """A worker or dispatcher not seen since, by the database's clock, is dead."""
    return Now() - timedelta(seconds=settings.JOB_LEASE_SECONDS)
