"""An import's archive where its bytes arrive, and what the check and the commit of it share."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from projects.domain.archives.contents import MAX_ARCHIVE_BYTES, ArchiveRefused, OpenArchive, ReadingStopped
from projects.domain.ingest import INCOMING
from projects.models import Import
from tenants.jobs import JobContext, JobFailed, Stopped
from tenants.refusals import NotFound
from tenants.scope import tenant_scope
from tenants.storage import ObjectMissing, ObjectTooLarge, TenantStorage

IMPORT_CHECK = "import_check"
IMPORT_COMMIT = "import_commit"


def archive_name(import_id: uuid.UUID) -> str:
    """The archive's name among what is incoming."""
    return f"import-{import_id}"


def archive_key(import_id: uuid.UUID) -> str:
    """Where the archive arrives, and stays until the import is done, deleted or given up."""
    return f"{INCOMING}/{archive_name(import_id)}"


def results_key(sha256: str) -> str:
    """Where the results of a commit lie, at the address of their bytes."""
    return f"import-results/{sha256}"


def import_of(context: JobContext, *statuses: str) -> Import:
    """The import that the job's spec names, if it is in one of these states in this job's name. Opens a scope.

    Raises JobFailed.
    """
    with tenant_scope(context.tenant_id):
        rows = Import.objects.select_related("project").filter(id=uuid.UUID(context.spec["import"]), deleted_at=None)
        found = rows.filter(project__deleted_at=None).first()
    if found is None:
        raise JobFailed("not_found", "The import is not there any more.", hint="Upload the archive again.")
    if found.job_id == context.job_id and found.status == Import.Status.FAILED:
        # Written by an earlier attempt, which died before it could say so.
        error: dict[str, str] = found.error or {}
        raise JobFailed(error["code"], error["message"], hint=error["hint"])
    if found.job_id != context.job_id or found.status not in statuses:
        raise JobFailed("superseded", "The import was asked for anew.", hint="Wait for its newest job.")
    return found


@contextmanager
def opened(context: JobContext, row: Import) -> Iterator[OpenArchive]:
    """The import's archive, fetched, compared with what was announced, and open in a child. Raises JobFailed."""
    path = context.scratch / "archive.zip"
    _fetch(TenantStorage(context.tenant_id), row, path)
    context.check()
    with context.children.archives.open(path, scratch=context.scratch, should_stop=context.should_stop) as archive:
        yield archive


def failing(context: JobContext, work: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Does the work of a job; a failure that is final is written to the import, too. Raises JobFailed or Stopped."""
    try:
        try:
            return work()
        except ReadingStopped as stopped:
            raise Stopped from stopped
        except ArchiveRefused as refused:
            error = refused.error
            raise JobFailed(error["code"], error["message"], hint=error["hint"]) from refused
        except NotFound as missing:
            raise JobFailed("not_found", "The project is not there any more.", hint="Import into another.") from missing
    except JobFailed as failure:
        with context.publishing():
            rows = Import.objects.filter(id=uuid.UUID(context.spec["import"]), job_id=context.job_id, deleted_at=None)
            rows.exclude(status=Import.Status.DONE).update(status=Import.Status.FAILED, error=failure.error)
        raise


def _fetch(storage: TenantStorage, row: Import, path: Path) -> None:
    try:
        size = storage.download(archive_key(row.id), path, max_bytes=min(row.size, MAX_ARCHIVE_BYTES))
    except ObjectMissing as error:
        raise JobFailed("archive_missing", "The archive's bytes are not there.", hint="Upload it again.") from error
    except ObjectTooLarge as error:
        raise _changed() from error
    with path.open("rb") as file:
        if size != row.size or hashlib.file_digest(file, "sha256").hexdigest() != row.sha256:
            raise _changed()


def _changed() -> JobFailed:
    return JobFailed(
        "archive_changed",
        "Other bytes arrived than were announced: size or SHA-256 differ.",
        hint="Upload the archive again.",
    )
