"""Checkpoints that no run goes on from: of runs that ended without clearing up, because S3 or their worker died."""

import uuid

from django.db import connections

from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from training.domain.artifacts import checkpoint_folder
from training.models import Run

# Runs a turn.
BATCH = 100


def tenants_to_sweep() -> list[uuid.UUID]:
    """The tenants in which there is something to clear away. Looks across tenants, as `myriad_maint`."""
    with connections["maint"].cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT r.tenant_id FROM training_run r JOIN tenants_job j"
            " ON j.tenant_id = r.tenant_id AND j.id = r.job_id"
            " WHERE r.checkpoints <> '{}' AND j.finished_at IS NOT NULL"
        )
        return [row[0] for row in cursor.fetchall()]


def sweep_tenant(*, tenant_id: uuid.UUID) -> int:
    """Deletes the checkpoints of ended runs; of how many. Opens its own scopes; broken off, the next call goes on."""
    swept = 0
    while runs := _ended(tenant_id):
        storage = TenantStorage(tenant_id)
        for run_id in runs:
            storage.delete_folder(checkpoint_folder(run_id))
        with tenant_scope(tenant_id):
            swept += Run.objects.filter(id__in=runs).update(checkpoints={})
    return swept


def _ended(tenant_id: uuid.UUID) -> list[uuid.UUID]:
    with tenant_scope(tenant_id):
        ended = Run.objects.exclude(checkpoints={}).exclude(job__state__in=Job.ACTIVE)
        return list(ended.order_by("id").values_list("id", flat=True)[:BATCH])
