"""What a furnished tenant exported of its snapshot, and what a job will."""

import hashlib
import uuid

from django.utils import timezone

from projects.domain.exporting import export_key
from projects.domain.exports import request_export
from projects.models import Snapshot, SnapshotExport
from tenants.permissions import Principal


def exports(snapshot: Snapshot, *, word: str, by: Principal) -> tuple[dict[str, uuid.UUID], dict[str, bytes]]:
    """A READY export and one that waits for its job, by placeholder; and the file by key, to be stored. In a scope."""
    data = f"{word} archive".encode()
    ready = SnapshotExport(
        snapshot=snapshot,
        format=SnapshotExport.Format.COCO,
        status=SnapshotExport.Status.READY,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        image_count=1,
        created_by_id=by.member_id,
        ready_at=timezone.now(),
    )
    ready.save(force_insert=True)
    asked = request_export(snapshot_id=snapshot.id, file_format=SnapshotExport.Format.VOC, by=by)
    assert asked.job is not None
    ids = {"export": ready.id, "packed": asked.id, "packing": asked.job.id}
    return ids, {export_key(export_id=ready.id, sha256=ready.sha256): data}
