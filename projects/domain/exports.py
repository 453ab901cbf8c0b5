"""Exports of snapshots: asked for, and where their files are. The job that makes one is `projects.domain.exporting`."""

import re
import uuid
from datetime import datetime
from typing import Any

from django.db.models import Q

from projects.domain.exporting import SNAPSHOT_EXPORT, ZIP, export_folder, export_key
from projects.domain.manifests import SnapshotNotReady
from projects.domain.queries import export_named, snapshot_named
from projects.models import Image, Snapshot, SnapshotExport
from tenants import audit, jobs
from tenants.models import Job
from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage

# Exports a turn of `sweep_exports`.
_BATCH = 100
_UNUSUAL = re.compile(r"[^\w-]+")


class ExportNotReady(Refusal):
    code = "export_not_ready"
    title = "The export has no file"

    def __init__(self, status: str) -> None:
        super().__init__(
            f"The export is {status}.",
            hint="Wait until it is READY; if it is FAILED or EXPIRED, ask for another one "
            "(POST /api/v1/snapshots/{id}/exports).",
        )


def request_export(*, snapshot_id: uuid.UUID, file_format: str, by: Principal) -> SnapshotExport:
    """The export of a snapshot in this format: one that is READY or BUILDING, or else a new one, for a job to make.

    One that was made before an image of the project was deleted is EXPIRED by that. Raises NotFound or
    SnapshotNotReady.
    """
    snapshot = snapshot_named(snapshot_id)
    if snapshot.status != Snapshot.Status.READY:
        raise SnapshotNotReady(snapshot)
    Snapshot.objects.select_for_update().get(id=snapshot.id)  # askers take turns
    active = (SnapshotExport.Status.BUILDING, SnapshotExport.Status.READY)
    known = SnapshotExport.objects.filter(snapshot=snapshot, format=file_format, status__in=active).select_related(
        "job"
    )
    found = known.first()
    if found is not None and not _is_over(found, snapshot):
        return found
    export = SnapshotExport(snapshot=snapshot, format=file_format, created_by_id=by.member_id)
    export.job, _ = jobs.enqueue(kind=SNAPSHOT_EXPORT, key=str(export.id), spec={"export": str(export.id)})
    export.save(force_insert=True)
    audit.record("snapshot.exported", by=by, target=snapshot.id, number=snapshot.number, format=file_format)
    return export


def _is_over(export: SnapshotExport, snapshot: Snapshot) -> bool:
    """Whether it can be used no more; its row says so then."""
    status, error = standing(export)
    if status == SnapshotExport.Status.READY:
        deleted = Image.objects.filter(project_id=snapshot.project_id, deleted_at__gt=export.created_at)
        if not deleted.exists():
            return False
        status = SnapshotExport.Status.EXPIRED
    elif status == SnapshotExport.Status.BUILDING:
        return False
    SnapshotExport.objects.filter(id=export.id).update(status=status, error=error)
    return True


def standing(export: SnapshotExport) -> tuple[str, dict[str, Any] | None]:
    """The export's status and error, as its job left it: one that was canceled or given up wrote nothing.

    `export` must have come with its job.
    """
    building = export.status == SnapshotExport.Status.BUILDING
    if not building or export.job is None or export.job.state in Job.ACTIVE:
        return export.status, export.error
    return SnapshotExport.Status.FAILED, export.job.error or {
        "code": "export_canceled",
        "message": "The job was canceled before the export was made.",
        "hint": "Ask for the export again.",
    }


def export_address(*, export_id: uuid.UUID, by: Principal) -> str:
    """A short-lived address of the zip. Opens the scope itself. Raises NotFound or ExportNotReady."""
    with tenant_scope(by.tenant_id):
        export = export_named(export_id)
        status, _ = standing(export)
        name = export.snapshot.project.name
    if status != SnapshotExport.Status.READY:
        raise ExportNotReady(status)
    filename = (
        f"{_UNUSUAL.sub('-', name).strip('-') or 'snapshot'}-{export.snapshot.number}-{export.format.lower()}.zip"
    )
    key = export_key(export_id=export.id, sha256=export.sha256)
    return TenantStorage(by.tenant_id).presign_download(key, content_type=ZIP, filename=filename)


def sweep_exports(*, tenant_id: uuid.UUID, before: datetime) -> int:
    """Clears away exports asked for before then, and EXPIRED ones, with their files; how many. Opens its own scopes.

    Those that a job is still at work on stay.
    """
    swept = 0
    while True:
        with tenant_scope(tenant_id):
            at_work = Q(
                status=SnapshotExport.Status.BUILDING, job_id__in=Job.objects.filter(state__in=Job.ACTIVE).values("id")
            )
            over = SnapshotExport.objects.filter(Q(status=SnapshotExport.Status.EXPIRED) | Q(created_at__lt=before))
            late = list(over.exclude(at_work).order_by("id").values_list("id", flat=True)[:_BATCH])
            # From here on nobody is led to the files; a crash leaves rows that the next sweep finds.
            SnapshotExport.objects.filter(id__in=late).update(status=SnapshotExport.Status.EXPIRED)
        if not late:
            return swept
        storage = TenantStorage(tenant_id)
        for export_id in late:
            storage.delete_folder(export_folder(export_id))
        with tenant_scope(tenant_id):
            SnapshotExport.objects.filter(id__in=late).delete()
        swept += len(late)
