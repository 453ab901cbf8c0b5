"""Checkpoints that no run goes on from: of runs that ended without clearing up, because S3 or their worker died."""

import uuid
from datetime import timedelta

from django.db import connections
from django.db.models import Q
from django.utils import timezone

from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from training.domain.artifacts import checkpoint_folder
from training.models import Run

# Runs a turn.
BATCH = 100
# A worker may die between the storing of a part and its naming in the run's row: so the folders of all runs that
# ended of late are looked at, whatever their rows say. A daily sweep sees each run several times.
OF_LATE = timedelta(days=7)


def tenants_to_sweep() -> list[uuid.UUID]:
    """The tenants in which there may be something to clear away. Looks across tenants, as `myriad_maint`."""
    with connections["maint"].cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT r.tenant_id FROM training_run r JOIN tenants_job j"
            " ON j.tenant_id = r.tenant_id AND j.id = r.job_id"
            " WHERE j.finished_at IS NOT NULL AND (r.checkpoints <> '{}' OR j.finished_at > %s)",
            [timezone.now() - OF_LATE],
        )
        return [row[0] for row in cursor.fetchall()]


def sweep_tenant(*, tenant_id: uuid.UUID) -> int:
    """Deletes the checkpoints of ended runs; of how many. Opens its own scopes; broken off, the next call goes on.

    Raises StorageUnavailable.
    """
    storage, swept, after = TenantStorage(tenant_id), 0, uuid.UUID(int=0)
    while runs := _ended(tenant_id, after=after):
        found = [run_id for run_id in runs if storage.delete_folder(checkpoint_folder(run_id))]
        with tenant_scope(tenant_id):
            Run.objects.filter(id__in=runs).exclude(checkpoints={}).update(checkpoints={})
        swept, after = swept + len(found), runs[-1]
    return swept


def _ended(tenant_id: uuid.UUID, *, after: uuid.UUID) -> list[uuid.UUID]:
    since = timezone.now() - OF_LATE
    with tenant_scope(tenant_id):
        ended = Run.objects.filter(id__gt=after).exclude(job__state__in=Job.ACTIVE)
        ended = ended.filter(~Q(checkpoints={}) | Q(job__finished_at__gt=since))
        return list(ended.order_by("id").values_list("id", flat=True)[:BATCH])
