"""The commit of an import: its images are registered, taken in and annotated, some at a time.

Each chunk has a row. It is written in the transaction that registers the chunk's images, and marked as done in the one
that annotates them; so a crash at any line leaves chunks that are done, and one at most that is gone on with from where
it was. When all are done, their lines become the results, and one transaction makes the import DONE.
"""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import Q

from projects.domain.archives.contents import ArchiveImage, OpenArchive, Summary
from projects.domain.classes import create_class
from projects.domain.import_archives import archive_key, failing, import_of, opened, results_key
from projects.domain.import_chunks import label_chunk, registered_lines
from projects.domain.import_plans import Survey, batches, book_of
from projects.domain.ingest import INGEST_ENDED, take_in
from projects.domain.projects import NameTaken
from projects.domain.queries import project_named
from projects.models import Image, Import, ImportChunk
from tenants import audit
from tenants.jobs import JobContext, JobFailed
from tenants.models import Member
from tenants.permissions import ROLE_PERMISSIONS, Permission, Principal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage

# Images a chunk: as an ingest's, and with a thousand boxes each no more than one call of `annotate` takes.
CHUNK = 16
RESULTS_TYPE = "application/x-ndjson"
# Images that came to nothing: as many as the row itself names. The results have them all.
REFUSED_TOLD = 100


def commit(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `import_commit`: its spec names the import, and the member (and key) that asked."""
    return failing(context, lambda: _commit(context))


def _commit(context: JobContext) -> dict[str, Any]:
    row = import_of(context, Import.Status.COMMITTING, Import.Status.DONE)
    storage = TenantStorage(context.tenant_id)
    if row.status != Import.Status.DONE:
        context.progress(0, 1, "fetching")
        by = _asker(context)
        with opened(context, row) as archive:
            summary = archive.read(on_progress=lambda done, total: context.progress(done, total, "reading"))
            work = _Work(context, storage, row, by, archive, summary, Survey.of(archive.images()))
            work.make_classes()
            work.take_all()
        row.result = _finish(context, storage, row, by)
    # Also when an earlier attempt died between the two.
    storage.delete([archive_key(row.id)])
    return {"import": str(row.id), **(row.result or {})}


def _asker(context: JobContext) -> Principal:
    """The member in whose name the boxes are drawn, as they are now."""
    with tenant_scope(context.tenant_id):
        member = Member.objects.filter(id=uuid.UUID(context.spec["member"]), removed_at=None).first()
    if member is None:
        raise JobFailed("not_allowed", "Who asked for this has no seat any more.", hint="Ask for it yourself.")
    needed = {Permission.UPLOAD, Permission.LABEL}
    if not needed <= ROLE_PERMISSIONS[member.role]:
        raise JobFailed(
            "not_allowed", "Who asked for this may not upload and label any more.", hint="Ask for it yourself."
        )
    key = context.spec.get("key")
    return Principal(
        tenant_id=context.tenant_id,
        member_id=member.id,
        role=member.role,
        permissions=ROLE_PERMISSIONS[member.role],
        key_id=uuid.UUID(key) if key else None,
    )


@dataclass
class _Work:
    """One attempt at a commit."""

    context: JobContext
    storage: TenantStorage
    row: Import
    by: Principal
    archive: OpenArchive
    summary: Summary
    survey: Survey

    def make_classes(self) -> None:
        """Makes the classes that the label book lacks, once; those that boxes are of, or that the sidecar lists."""
        if self.row.unknown_classes != Import.UnknownClasses.CREATE or self.row.result is not None:
            return
        made = []
        with self.context.publishing():
            project = project_named(self.row.project_id, lock=True)
            book = book_of(project)
            for place, label in enumerate(self.summary.classes):
                if label.name in book or not (self.survey.drawn[place] or label.listed):
                    continue
                said = {"definition": label.definition, "rule": label.rule, "color": label.color}
                try:
                    create_class(project_id=project.id, by=self.by, name=label.name, **_given(said))
                except NameTaken:
                    continue  # somebody made it meanwhile, which is as good
                made.append(label.name)
            self.row.result = {"classes": made}
            Import.objects.filter(id=self.row.id).update(result=self.row.result)

    def take_all(self) -> None:
        """Does all chunks that are not done."""
        with tenant_scope(self.context.tenant_id):
            done = set(ImportChunk.objects.filter(source=self.row, is_done=True).values_list("number", flat=True))
        place = 0
        for number, images in enumerate(batches(self.archive.images(), CHUNK)):
            self.context.check()
            if number not in done:
                self._take(number, place, images)
            place += len(images)
            self.context.progress(place, self.summary.images, "importing")

    def _take(self, number: int, start: int, images: Sequence[ArchiveImage]) -> None:
        lines, waiting = self._begin(number, start, images)
        if waiting:
            entries = {line["image"]: images[place].entry for place, line in enumerate(lines) if line["is_new"]}
            take_in(self.context, self.storage, waiting, fetch=_Extraction(self.archive, entries))
        with self.context.publishing():
            project = project_named(self.row.project_id)
            lines = label_chunk(
                project=project,
                lines=lines,
                images=images,
                summary=self.summary,
                survey=self.survey,
                begun=self.row.created_at,
                by=self.by,
            )
            ImportChunk.objects.filter(source=self.row, number=number).update(lines=lines, is_done=True)

    def _begin(
        self, number: int, start: int, images: Sequence[ArchiveImage]
    ) -> tuple[list[dict[str, Any]], list[Image]]:
        """The chunk's lines, its images registered; and those of them that are to be taken in."""
        with self.context.publishing():
            known = ImportChunk.objects.filter(source=self.row, number=number).first()
            if known is None:
                lines = registered_lines(
                    project_id=self.row.project_id, start=start, images=images, survey=self.survey, by=self.by
                )
                ImportChunk.objects.create(source=self.row, number=number, lines=lines)
            else:
                lines = known.lines
            new = [line["image"] for line in lines if line["is_new"]]
            rows = Image.objects.filter(id__in=new, deleted_at=None)
            # In this job's name: as registered just now, or by an attempt that ended without taking them in.
            left = Q(status__in=[Image.Status.AWAITING, Image.Status.ARRIVED])
            left |= Q(status=Image.Status.FAILED, error__code=INGEST_ENDED["code"])
            rows.filter(left).update(status=Image.Status.ARRIVED, error=None, job_id=self.context.job_id)
            return lines, list(rows.filter(status=Image.Status.ARRIVED).order_by("id"))


def _given(said: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in said.items() if text}


@dataclass(frozen=True)
class _Extraction:
    """Brings images' bytes out of the archive; see `ingest.Fetch`."""

    archive: OpenArchive
    # Image id → entry.
    entries: dict[str, int | None]

    def __call__(self, images: Sequence[Image], folder: Path) -> dict[uuid.UUID, dict[str, str]]:
        errors = {}
        for image in images:
            entry = self.entries.get(str(image.id))
            if entry is None or not self.archive.extract(entry, folder / str(image.id)):
                errors[image.id] = {
                    "code": "unreadable_entry",
                    "message": f"{image.filename} cannot be unpacked.",
                    "hint": "Pack the archive again, or upload the file by itself.",
                }
        return errors


def _finish(context: JobContext, storage: TenantStorage, row: Import, by: Principal) -> dict[str, Any]:
    """Stores the results and makes the import DONE; returns what is counted."""
    path = context.scratch / "results.jsonl"
    counts, sums = Counter[str](), Counter[str]()
    refused: list[dict[str, Any]] = []
    with tenant_scope(context.tenant_id), path.open("wb") as file:
        for lines in (
            ImportChunk.objects.filter(source=row).order_by("number").values_list("lines", flat=True).iterator(100)
        ):
            for line in lines:
                counts[line["outcome"]] += 1
                sums.update(boxes=line["boxes"], labelled=line["labelled"], errors="error" in line)
                if "error" in line and len(refused) < REFUSED_TOLD:
                    refused.append({"file": line["file"], **line["error"]})
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    storage.put_once(results_key(sha256), path, content_type=RESULTS_TYPE, sha256=sha256)
    told = {name: sums[name] for name in ("labelled", "boxes", "errors")}
    made = (row.result or {}).get("classes", [])
    result: dict[str, Any] = {"images": dict(sorted(counts.items())), **told, "classes": made}
    with context.publishing():
        rows = Import.objects.filter(id=row.id, status=Import.Status.COMMITTING, job_id=context.job_id, deleted_at=None)
        if rows.update(
            status=Import.Status.DONE, result=result | {"refused": refused}, results_sha256=sha256, error=None
        ):
            ImportChunk.objects.filter(source=row).delete()
            audit.record("import.committed", by=by, target=row.id, images=counts.total(), boxes=sums["boxes"])
    return result
