"""What was begun and never ended, or was kept long enough: uploads, imports, ingests; answers and exports."""

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections
from django.db.models import F
from django.utils import timezone

from projects.domain.exports import sweep_exports
from projects.domain.imports import sweep_imports
from projects.domain.ingest import INGEST_ENDED, incoming_key
from projects.models import Image, ImageClass, Project
from tenants import audit
from tenants.domain import idempotency
from tenants.domain.quotas import lock_quota, release
from tenants.models import IdempotencyRecord, Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage

# A file that is still awaited after this is not coming. Whoever sends it after all registers it again.
ABANDONED_AFTER = timedelta(days=7)
# A zip of a snapshot can be made again at any time.
EXPORTS_KEPT = timedelta(days=7)
# Images a transaction, and a turn of `sweep_tenant`.
BATCH = 500


@dataclass(frozen=True)
class Swept:
    """How many of each were cleared away."""

    abandoned: int = 0
    given_up: int = 0
    answers: int = 0
    imports: int = 0
    exports: int = 0


def tenants_to_sweep() -> list[uuid.UUID]:
    """The tenants in which there is something to clear away. Looks across tenants, as `myriad_maint`."""
    now = timezone.now()
    with connections["maint"].cursor() as cursor:
        cursor.execute(
            "SELECT tenant_id FROM projects_image WHERE status = 'AWAITING' AND created_at < %s AND deleted_at IS NULL"
            " UNION SELECT tenant_id FROM tenants_idempotencyrecord WHERE created_at < %s"
            " UNION SELECT i.tenant_id FROM projects_image i JOIN tenants_job j"
            " ON j.tenant_id = i.tenant_id AND j.id = i.job_id"
            " WHERE i.status = 'ARRIVED' AND i.deleted_at IS NULL AND j.finished_at IS NOT NULL"
            " UNION SELECT tenant_id FROM projects_import"
            " WHERE status <> 'DONE' AND created_at < %s AND deleted_at IS NULL"
            " UNION SELECT tenant_id FROM projects_snapshotexport WHERE status = 'EXPIRED' OR created_at < %s",
            [now - ABANDONED_AFTER, now - idempotency.KEPT, now - ABANDONED_AFTER, now - EXPORTS_KEPT],
        )
        return [row[0] for row in cursor.fetchall()]


def sweep_tenant(*, tenant_id: uuid.UUID) -> Swept:
    """Clears one tenant; opens its own scopes. Broken off anywhere, the next call goes on."""
    now = timezone.now()
    abandoned = 0
    while swept := _sweep_abandoned(tenant_id, before=now - ABANDONED_AFTER):
        abandoned += swept
    with tenant_scope(tenant_id):
        ended = Job.objects.exclude(state__in=Job.ACTIVE).values("id")
        stuck = Image.objects.filter(status=Image.Status.ARRIVED, deleted_at=None, job_id__in=ended)
        given_up = stuck.update(status=Image.Status.FAILED, error=INGEST_ENDED)
        answers, _ = IdempotencyRecord.objects.filter(created_at__lt=now - idempotency.KEPT).delete()
    imports = sweep_imports(tenant_id=tenant_id, before=now - ABANDONED_AFTER)
    exports = sweep_exports(tenant_id=tenant_id, before=now - EXPORTS_KEPT)
    return Swept(abandoned=abandoned, given_up=given_up, answers=answers, imports=imports, exports=exports)


def _sweep_abandoned(tenant_id: uuid.UUID, *, before: datetime) -> int:
    with tenant_scope(tenant_id):
        late = Image.objects.filter(status=Image.Status.AWAITING, deleted_at=None, created_at__lt=before)
        images = list(late.order_by("id")[:BATCH])
    if not images:
        return 0
    storage = TenantStorage(tenant_id)
    for image in images:
        if image.multipart_id:
            storage.abort_multipart(incoming_key(image.id), upload_id=image.multipart_id)
    storage.delete(incoming_key(image.id) for image in images)
    with tenant_scope(tenant_id):
        return _forget([image.id for image in images])


def _forget(image_ids: list[uuid.UUID]) -> int:
    """Removes the rows that are still awaited, and gives back what they were charged; how many."""
    lock_quota()  # then projects, then images: the order of registration
    list(Project.objects.select_for_update().filter(images__id__in=image_ids).order_by("id"))
    awaited = Image.objects.select_for_update().filter(id__in=image_ids, status=Image.Status.AWAITING, deleted_at=None)
    found = list(awaited)
    gone = [image.id for image in found]
    ImageClass.objects.filter(image_id__in=gone).delete()
    Image.objects.filter(id__in=gone).delete()
    for project_id, count in Counter(image.project_id for image in found).items():
        Project.objects.filter(id=project_id).update(image_count=F("image_count") - count)
    release(images=len(found), bytes=sum(image.size for image in found))
    audit.record("images.abandoned", by=None, count=len(found))
    return len(found)
