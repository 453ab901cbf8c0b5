"""A furnished tenant's imports: one in each state, with their archives, and the jobs that check and commit two."""

import hashlib
import json
import uuid
from typing import Any

from projects.domain.import_archives import IMPORT_CHECK, IMPORT_COMMIT, archive_key, results_key
from projects.models import Import, ImportChunk, Project
from tenants import jobs
from tenants.ids import uuid7
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.archives.zips import coco_zip

_STATES = {
    "arriving": Import.Status.AWAITING,
    "inspecting": Import.Status.CHECKING,
    "reported": Import.Status.CHECKED,
    "entering": Import.Status.COMMITTING,
    "imported": Import.Status.DONE,
}
_COUNTS = ("images", "new", "existing", "missing", "labelled", "good", "unlabelled", "boxes")


def archive(word: str, state: str) -> bytes:
    """A zip of its own for each tenant and state."""
    return coco_zip({f"{word} {state}.png": [(f"{word} {state}", 1, 2, 3, 4)]}, names=(f"{word} {state}",))


def results(word: str) -> bytes:
    """What the tenant's DONE import tells of its one image."""
    return json.dumps({"file": f"images/{word} imported.png", "outcome": "CREATED"}).encode() + b"\n"


def imports(owner: Person, project: uuid.UUID, *, word: str) -> dict[str, uuid.UUID]:
    """Adds to a tenant that has the project; ids by their names among the holdings."""
    ids: dict[str, uuid.UUID] = {}
    with tenant_scope(owner.tenant.id):
        for state, status in _STATES.items():
            row = _import(owner, project, word, state)
            row.status = status
            row.save(force_insert=True)
            ids[state] = row.id
            if state == "reported":
                ImportChunk.objects.create(source=row, number=0, lines=[{"file": f"images/{word} reported.png"}])
            if row.job is not None:
                ids["checking" if state == "inspecting" else "committing"] = row.job.id
    storage = TenantStorage(owner.tenant.id)
    storage.put(results_key(hashlib.sha256(results(word)).hexdigest()), results(word), content_type="text/plain")
    stock_imports(owner.tenant.id, word, {state: ids[state] for state in _STATES if state != "imported"})
    return ids


def stock_imports(tenant_id: uuid.UUID, word: str, ids: dict[str, uuid.UUID]) -> None:
    """Puts archives where they arrive; a commit takes its own away."""
    for state, import_id in ids.items():
        TenantStorage(tenant_id).put(archive_key(import_id), archive(word, state), content_type="application/zip")


def _import(owner: Person, project: uuid.UUID, word: str, state: str) -> Import:
    data, import_id = archive(word, state), uuid7()
    row = Import(
        id=import_id,
        project=Project.objects.get(id=project),
        filename=f"{word} {state}.zip",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        created_by_id=owner.principal.member_id,
        job=_job(owner, state, import_id),
    )
    if state in ("reported", "entering", "imported"):
        row.format = "COCO"
        row.report = {"format": "COCO", **dict.fromkeys(_COUNTS, 1), "classes": [], "splits": {}, "problems": []}
    if state in ("entering", "imported"):
        row.unknown_classes = Import.UnknownClasses.CREATE
    if state == "imported":
        row.result = {"images": {"CREATED": 1}, "labelled": 1, "boxes": 1, "errors": 0, "classes": [f"{word} imported"]}
        row.results_sha256 = hashlib.sha256(results(word)).hexdigest()
    return row


def _job(owner: Person, state: str, import_id: uuid.UUID) -> Job | None:
    spec: dict[str, Any] = {"import": str(import_id), "member": str(owner.principal.member_id), "key": None}
    kind = {"inspecting": IMPORT_CHECK, "entering": IMPORT_COMMIT}.get(state)
    return jobs.enqueue(kind=kind, key=str(import_id), spec=spec)[0] if kind else None
