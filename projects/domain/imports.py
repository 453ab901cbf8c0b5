"""Imports: asked for, checked, committed, deleted. What the jobs do is in `import_checks` and `import_commits`."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from projects.domain.archives.contents import MAX_ARCHIVE_BYTES
from projects.domain.import_archives import (
    IMPORT_CHECK,
    IMPORT_COMMIT,
    archive_key,
    archive_name,
    results_key,
)
from projects.domain.import_commits import RESULTS_TYPE
from projects.domain.ingest import INCOMING
from projects.domain.items import is_filename
from projects.domain.queries import project_named
from projects.models import Import, ImportChunk
from tenants import audit, jobs
from tenants.domain.quotas import lock_quota
from tenants.ids import uuid7
from tenants.models import Job
from tenants.permissions import Permission, Principal
from tenants.refusals import Invalid, NotFound, Refusal
from tenants.scope import tenant_scope
from tenants.storage import UPLOAD_SECONDS, TenantStorage

ARCHIVE_TYPE = "application/zip"
# Of a tenant, at one time: archives take room that no quota counts.
MOST_OPEN = 20
# Imports a turn of `sweep_imports`.
_BATCH = 100


class ImportBusy(Refusal):
    code = "import_busy"
    title = "The import is at work"

    def __init__(self, job: uuid.UUID | None) -> None:
        super().__init__(
            "The import is being checked or committed.", hint="Wait for its job, or cancel that first.", job=str(job)
        )


class ImportDone(Refusal):
    code = "import_done"
    title = "The import is done"

    def __init__(self) -> None:
        super().__init__(
            "The import was committed, and its archive is gone.", hint="Start another one to import the archive again."
        )


class TooManyOpen(Refusal):
    status = 403
    code = "quota_exceeded"
    title = "Too many imports are open"

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_OPEN} imports of this tenant wait to be sent, checked or committed.",
            hint="Commit or delete some of them first; their archives are kept for days.",
        )


class ArchiveNotThere(Refusal):
    code = "archive_not_arrived"
    title = "The archive is not there yet"

    def __init__(self) -> None:
        super().__init__(
            "The archive's bytes have not arrived.",
            hint="Send them by its form (POST /api/v1/projects/{id}/imports), then ask again.",
        )


class NotChecked(Refusal):
    code = "import_not_checked"
    title = "The import is not checked yet"

    def __init__(self, status: str) -> None:
        super().__init__(
            f"The import is {status}; only one that was checked can be committed.",
            hint="Ask for the check (POST /api/v1/imports/{id}/check), and read its report.",
        )


class BegunOtherwise(Refusal):
    code = "import_begun_otherwise"
    title = "The import has begun otherwise"

    def __init__(self, unknown_classes: str) -> None:
        super().__init__(
            f"Some of its images are in already, with {unknown_classes} for unknown classes.",
            hint=f"Go on with {unknown_classes}; then import the archive once more, in which case the boxes are added.",
        )


class NoResults(Refusal):
    code = "import_not_done"
    title = "There are no results yet"

    def __init__(self, status: str) -> None:
        super().__init__(f"The import is {status}.", hint="Commit it, and wait until it is DONE.")


class MayNot(Refusal):
    status = 403
    code = "permission_denied"
    title = "Not allowed"

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="Ask an owner, admin or engineer, or use a key whose scopes include this.")


def imports(project_id: uuid.UUID) -> QuerySet[Import]:
    """The project's imports, without their reports. Raises NotFound."""
    return _with_jobs(Import.objects.filter(project=project_named(project_id), deleted_at=None)).defer("report")


def import_named(import_id: uuid.UUID, *, lock: bool = False) -> Import:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    rows = Import.objects.filter(id=import_id, deleted_at=None, project__deleted_at=None)
    if lock and not rows.select_for_update(of=("self",)).exists():
        raise NotFound
    found = _with_jobs(rows).first()
    if found is None:
        raise NotFound
    return found


def _with_jobs(rows: QuerySet[Import]) -> QuerySet[Import]:
    """With the jobs, which say how those stand that are under way."""
    return rows.select_related("job").defer("job__spec", "job__traceback")


def standing(row: Import) -> tuple[str, dict[str, Any] | None]:
    """The import's status and error, as its job left it. `row` must have come with its job."""
    at_work = row.status in (Import.Status.CHECKING, Import.Status.COMMITTING)
    if not at_work or row.job is None or row.job.state in Job.ACTIVE:
        return row.status, row.error
    return Import.Status.FAILED, row.job.error or {
        "code": "import_canceled",
        "message": "The job was canceled before it ended. What was imported so far stays.",
        "hint": "Ask for it again: it goes on where it was.",
    }


def request_import(
    *, project_id: uuid.UUID, filename: str, size: int, sha256: str, by: Principal
) -> tuple[Import, dict[str, Any]]:
    """Makes an import whose archive is still to come; with how to send it. Asking again for the same bytes resumes.

    Opens the scope itself. Raises NotFound, TooManyOpen or Invalid.
    """
    if not is_filename(filename):
        raise Invalid("filename", "`filename` must have 1 to 255 printable characters.")
    if not 1 <= size <= MAX_ARCHIVE_BYTES:
        raise Invalid(
            "size", f"An archive has 1 to {MAX_ARCHIVE_BYTES} bytes.", hint="Split a larger one into several zips."
        )
    with tenant_scope(by.tenant_id):
        lock_quota()  # so that requests for several projects take turns; before the project's lock, as everywhere
        project = project_named(project_id, lock=True)  # so that two requests for the same bytes make one import
        awaited = Import.objects.filter(project=project, status=Import.Status.AWAITING, deleted_at=None)
        row = _with_jobs(awaited.filter(sha256=sha256, size=size, filename=filename)).first()
        if row is None:
            _refuse_too_many()
            row = Import(project=project, filename=filename, size=size, sha256=sha256, created_by_id=by.member_id)
            row.save(force_insert=True)
            audit.record("import.created", by=by, target=row.id, filename=filename, bytes=size)
    form = TenantStorage(by.tenant_id).presign_upload(
        archive_key(row.id), size=size, content_type=ARCHIVE_TYPE, sha256=sha256
    )
    expires_at = (timezone.now() + timedelta(seconds=UPLOAD_SECONDS)).isoformat()
    return row, {"method": "POST", "url": form.url, "fields": form.fields, "expires_at": expires_at}


def _refuse_too_many() -> None:
    """An archive's bytes are charged to nobody until its images are."""
    if Import.objects.filter(deleted_at=None).exclude(status=Import.Status.DONE).count() >= MOST_OPEN:
        raise TooManyOpen


def check_import(*, import_id: uuid.UUID, by: Principal) -> Import:
    """Asks for the check of an archive that has arrived. Repeating it while the check is at work changes nothing.

    Opens the scope itself. Raises NotFound, ArchiveNotThere, ImportBusy (it is being committed) or ImportDone.
    """
    with tenant_scope(by.tenant_id):
        _refuse_done(import_named(import_id))
    name = archive_name(import_id)
    there = TenantStorage(by.tenant_id).sizes(INCOMING, names=[name])
    with tenant_scope(by.tenant_id):
        row = import_named(import_id, lock=True)
        _refuse_done(row)
        if _is_at_work(row):
            if row.status == Import.Status.CHECKING:
                return row
            raise ImportBusy(row.job_id)
        if name not in there:
            raise ArchiveNotThere
        _ask(row, IMPORT_CHECK, {"import": str(row.id)}, status=Import.Status.CHECKING)
        audit.record("import.check_requested", by=by, target=row.id)
        return row


def commit_import(*, import_id: uuid.UUID, unknown_classes: str, by: Principal) -> Import:
    """Asks for the commit of a checked import; of one whose commit ended early, it goes on where that was.

    Images and boxes are written in the name of `by`, who must be allowed to upload and to label; and to edit the
    project where `unknown_classes` is CREATE, for that changes its label book. Runs in the tenant's scope.
    Raises NotFound, MayNot, NotChecked, ImportBusy, ImportDone or BegunOtherwise.
    """
    row = import_named(import_id, lock=True)
    if not (by.may(Permission.UPLOAD) and by.may(Permission.LABEL)):
        raise MayNot("Committing an import uploads and labels images; this key may not do both.")
    if unknown_classes == Import.UnknownClasses.CREATE and not by.may(Permission.EDIT):
        raise MayNot("Making classes changes the label book, which this key may not do.")
    _refuse_done(row)
    if _is_at_work(row):
        if row.status == Import.Status.COMMITTING and row.unknown_classes == unknown_classes:
            return row
        raise ImportBusy(row.job_id)
    if row.report is None or row.status == Import.Status.CHECKING:
        raise NotChecked(standing(row)[0])
    begun = row.unknown_classes and ImportChunk.objects.filter(source=row).exists()
    if begun and row.unknown_classes != unknown_classes:
        raise BegunOtherwise(row.unknown_classes)
    spec = {"import": str(row.id), "member": str(by.member_id), "key": str(by.key_id) if by.key_id else None}
    row.unknown_classes = unknown_classes
    _ask(row, IMPORT_COMMIT, spec, status=Import.Status.COMMITTING)
    audit.record("import.commit_requested", by=by, target=row.id, unknown_classes=unknown_classes)
    return row


def cancel_import(*, import_id: uuid.UUID, by: Principal) -> None:
    """Stops a check or commit that is under way, soon; what was imported so far stays. Repeating it changes nothing.

    Runs in the tenant's scope. Raises NotFound.
    """
    # Without the row's lock: the job's comes before it where a job publishes.
    row = import_named(import_id)
    if row.job is not None and _is_at_work(row) and row.job.cancel_requested_at is None:
        jobs.cancel(job_id=row.job.id)
        audit.record("import.canceled", by=by, target=row.id)


def delete_import(*, import_id: uuid.UUID, by: Principal) -> None:
    """Forgets an import and its archive; what it brought into the project stays. Opens the scope itself.

    Raises NotFound or ImportBusy.
    """
    with tenant_scope(by.tenant_id):
        _refuse_busy(import_named(import_id))
    # The bytes first: a row that is gone would leave them behind for good.
    TenantStorage(by.tenant_id).delete([archive_key(import_id)])
    with tenant_scope(by.tenant_id):
        row = import_named(import_id, lock=True)
        _refuse_busy(row)
        _forget([row.id])
        audit.record("import.deleted", by=by, target=row.id, filename=row.filename)


def results_address(*, import_id: uuid.UUID, by: Principal) -> str:
    """A short-lived address of the results, a line of JSON an image. Opens the scope itself.

    Raises NotFound or NoResults.
    """
    with tenant_scope(by.tenant_id):
        row = import_named(import_id)
    if row.status != Import.Status.DONE:
        raise NoResults(standing(row)[0])
    return TenantStorage(by.tenant_id).presign_download(results_key(row.results_sha256), content_type=RESULTS_TYPE)


def sweep_imports(*, tenant_id: uuid.UUID, before: datetime) -> int:
    """Forgets imports begun before then that nobody committed, with their archives; how many. Opens its own scopes."""
    swept = 0
    while True:
        with tenant_scope(tenant_id):
            rows = Import.objects.filter(deleted_at=None, created_at__lt=before).exclude(status=Import.Status.DONE)
            idle = rows.exclude(job_id__in=Job.objects.filter(state__in=Job.ACTIVE).values("id"))
            late = [row.id for row in idle.select_for_update(of=("self",)).order_by("id")[:_BATCH]]
        if not late:
            return swept
        # In the order of `delete_import`.
        TenantStorage(tenant_id).delete(archive_key(import_id) for import_id in late)
        with tenant_scope(tenant_id):
            # Whoever asked for one meanwhile finds its job failed, not the import gone.
            still = [row.id for row in idle.filter(id__in=late).select_for_update(of=("self",))]
            _forget(still)
            if still:
                audit.record("imports.abandoned", by=None, count=len(still))
        swept += len(late)


def _forget(import_ids: list[uuid.UUID]) -> None:
    Import.objects.filter(id__in=import_ids).update(deleted_at=timezone.now())
    ImportChunk.objects.filter(source_id__in=import_ids).delete()


def _refuse_done(row: Import) -> None:
    if row.status == Import.Status.DONE:
        raise ImportDone


def _refuse_busy(row: Import) -> None:
    if _is_at_work(row):
        raise ImportBusy(row.job_id)


def _is_at_work(row: Import) -> bool:
    return row.job is not None and row.job.state in Job.ACTIVE


def _ask(row: Import, kind: str, spec: dict[str, Any], *, status: str) -> None:
    # The row's lock makes it one job at a time, so the job's key need not.
    row.job, _ = jobs.enqueue(kind=kind, key=str(uuid7()), spec=spec)
    row.status, row.error = status, None
    row.save(update_fields=["job", "status", "error", "unknown_classes"])
