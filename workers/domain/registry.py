"""Workers make themselves known, so that the dispatcher sends no more than their slots can start."""

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from tenants.models import Pool
from workers.models import Worker

# Rows of workers that died without leaving are kept this long, for who looks into it.
_KEPT = timedelta(hours=1)


def enter(*, name: str, pool: str, slots: int) -> uuid.UUID:
    """Registers a worker, and its pool if it is the first."""
    Pool.objects.get_or_create(name=pool)
    Worker.objects.filter(seen_at__lt=Now() - _KEPT).delete()
    return Worker.objects.create(name=name, pool=pool, slots=slots).id


def beat(*, worker_id: uuid.UUID) -> bool:
    """Shows that the worker lives; False when its row is gone."""
    return bool(Worker.objects.filter(id=worker_id).update(seen_at=Now()))


def drain(*, worker_id: uuid.UUID) -> None:
    """Takes the worker's slots out of what the dispatcher counts."""
    Worker.objects.filter(id=worker_id).update(draining=True)


def leave(*, worker_id: uuid.UUID) -> None:
    Worker.objects.filter(id=worker_id).delete()
