"""Snapshots: asked for, compared, and where their files are. The job that makes one is `projects.domain.freezing`."""

import uuid
from typing import Any, Literal

from django.db.models import Max

from projects.domain.differences import Difference, difference
from projects.domain.freezing import SNAPSHOT
from projects.domain.manifests import JSON, ManifestTooLarge, SnapshotNotReady, coco_key, load_manifest, manifest_key
from projects.domain.queries import labelled_images, project_named, snapshot_named
from projects.models import Snapshot
from tenants import audit, jobs
from tenants.models import Job
from tenants.permissions import Principal
from tenants.refusals import Invalid, Refusal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage

# Images and boxes of both sides together: a comparison is made while its asker waits.
MAX_COMPARED = 250_000
# Of each side: metadata and long names weigh too, and what is read takes some ten times as much memory.
MAX_COMPARED_BYTES = 16 * 1024 * 1024


class NothingLabelled(Refusal):
    code = "nothing_labelled"
    title = "Nothing is labelled yet"

    def __init__(self) -> None:
        super().__init__(
            "No image of this project is READY and labelled.",
            hint="Annotate some images (POST /api/v1/projects/{id}/annotations), one without defects as well; "
            "an annotation without boxes says that an image is good.",
        )


class TooLargeToCompare(Refusal):
    code = "snapshot_too_large"
    title = "Too large to compare"

    def __init__(self) -> None:
        super().__init__(
            f"The two snapshots hold more than {MAX_COMPARED} images and boxes together, or the manifest of one has "
            f"more than {MAX_COMPARED_BYTES} bytes.",
            hint="Fetch both manifests and compare them on your side; images and boxes are in the same order.",
        )


def create_snapshot(*, project_id: uuid.UUID, by: Principal, note: str = "") -> Snapshot:
    """Asks for a snapshot of what is labelled when its job runs. Raises NotFound or NothingLabelled."""
    project = project_named(project_id, lock=True)  # numbers are given in turn
    if not labelled_images(project).exists():
        raise NothingLabelled
    last = Snapshot.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    snapshot = Snapshot(project=project, number=last + 1, note=note, created_by_id=by.member_id)
    snapshot.job, _ = jobs.enqueue(kind=SNAPSHOT, key=str(snapshot.id), spec={"snapshot": str(snapshot.id)})
    snapshot.save(force_insert=True)
    audit.record("snapshot.created", by=by, target=snapshot.id, number=snapshot.number)
    return snapshot


def standing(snapshot: Snapshot) -> tuple[str, dict[str, Any] | None]:
    """The snapshot's status and error, as its job left it: one that was canceled or given up wrote nothing.

    `snapshot` must have come with its job.
    """
    if snapshot.status != Snapshot.Status.BUILDING or snapshot.job is None or snapshot.job.state in Job.ACTIVE:
        return snapshot.status, snapshot.error
    return Snapshot.Status.FAILED, snapshot.job.error or {
        "code": "snapshot_canceled",
        "message": "The job was canceled before the snapshot was made.",
        "hint": "Create another snapshot.",
    }


def diff_snapshots(*, snapshot_id: uuid.UUID, against_id: uuid.UUID, by: Principal) -> Difference:
    """What changed from `against` to the snapshot. Opens the scope itself.

    Raises NotFound, Invalid (of different projects), SnapshotNotReady, ManifestDamaged or TooLargeToCompare.
    """
    with tenant_scope(by.tenant_id):
        after, before = snapshot_named(snapshot_id), snapshot_named(against_id)
    if after.project_id != before.project_id:
        raise Invalid("against", "The two snapshots are of different projects.", hint="Compare within one project.")
    if sum(side.image_count + side.box_count for side in (before, after)) > MAX_COMPARED:
        raise TooLargeToCompare
    storage = TenantStorage(by.tenant_id)
    try:
        manifests = [
            load_manifest(snapshot=side, storage=storage, max_bytes=MAX_COMPARED_BYTES) for side in (before, after)
        ]
    except ManifestTooLarge as error:
        raise TooLargeToCompare from error
    return difference(before=manifests[0], after=manifests[1])


def snapshot_address(*, snapshot_id: uuid.UUID, which: Literal["manifest", "coco"], by: Principal) -> str:
    """A short-lived address of one of its files. Opens the scope itself. Raises NotFound or SnapshotNotReady."""
    with tenant_scope(by.tenant_id):
        snapshot = snapshot_named(snapshot_id)
    if snapshot.status != Snapshot.Status.READY:
        raise SnapshotNotReady(snapshot)
    key = manifest_key(snapshot.manifest_sha256) if which == "manifest" else coco_key(snapshot.coco_sha256)
    return TenantStorage(by.tenant_id).presign_download(key, content_type=JSON)
