"""Freezing: what is labelled becomes a manifest and a COCO file, stored under their hashes, and then published.

The row is BUILDING until one transaction that checks the lease makes it READY or FAILED. Both files lie at the address
of their own bytes before that, so a crash at any line leaves a row that says what it is, and at worst an object that
the next attempt finds there.
"""

import hashlib
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from projects.domain.coco import to_coco
from projects.domain.manifests import (
    JSON,
    MAX_MANIFEST_BYTES,
    Manifest,
    ManifestBox,
    ManifestClass,
    ManifestImage,
    coco_key,
    manifest_key,
)
from projects.domain.queries import labelled_images
from projects.models import Box, DefectClass, Image, Project, Snapshot
from tenants.jobs import JobContext, JobFailed
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage

SNAPSHOT = "snapshot"
# Annotations a query.
_BATCH = 5000
_STEPS = 3
# Of an image.
_READ = ("filename", "stored_sha256", "stored_type", "width", "height", "split", "group", "metadata", "accepted")
# A box as it is read: class, x, y, width, height.
_Drawn = tuple[uuid.UUID, float, float, float, float]


def freeze(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `snapshot`: its spec names the row."""
    snapshot_id = uuid.UUID(context.spec["snapshot"])
    try:
        return _freeze(context, snapshot_id)
    except JobFailed as failure:
        with context.publishing():
            building = Snapshot.objects.filter(id=snapshot_id, status=Snapshot.Status.BUILDING)
            building.update(status=Snapshot.Status.FAILED, error=failure.error)
        raise


def _freeze(context: JobContext, snapshot_id: uuid.UUID) -> dict[str, Any]:
    context.progress(0, _STEPS, "reading")
    with tenant_scope(context.tenant_id):
        snapshot = _asked_for(snapshot_id)
        if snapshot.status == Snapshot.Status.READY:
            # An earlier attempt published, and died before it could say so.
            return _summary(snapshot)
        manifest = _read(snapshot.project)
    if not manifest.images:
        raise JobFailed("nothing_labelled", "No image is labelled any more.", hint="Annotate some, and try again.")
    context.check()
    context.progress(1, _STEPS, "storing")
    _store(context, snapshot, manifest)
    context.check()
    context.progress(2, _STEPS, "publishing")
    _publish(context, snapshot)
    context.progress(_STEPS, _STEPS, "done")
    return _summary(snapshot)


def _asked_for(snapshot_id: uuid.UUID) -> Snapshot:
    found = Snapshot.objects.select_related("project").filter(id=snapshot_id).first()
    if found is None:
        raise JobFailed("not_found", "The snapshot is not there any more.", hint="Create another one.")
    if found.status == Snapshot.Status.FAILED:
        # Written by an earlier attempt, which died before it could say so.
        error: dict[str, str] = found.error or {}
        raise JobFailed(error["code"], error["message"], hint=error["hint"])
    return found


def _read(project: Project) -> Manifest:
    """What is labelled, without a lock: nobody who annotates waits for it.

    One statement decides which version of each image counts, and versions never change. The label book is read last,
    so that it knows the class of every box, unless the class was deleted; the boxes of such a one are left out. An
    image that keeps none of its boxes is left out too: without boxes it would be a good one.
    """
    images = list(labelled_images(project).only(*_READ).order_by("id"))
    drawn = _boxes_of([image.accepted_id for image in images if image.accepted_id is not None])
    book = list(DefectClass.objects.filter(project=project, deleted_at=None).order_by("id"))
    index = {label.id: place for place, label in enumerate(book)}
    return Manifest(
        project=project.id,
        kind=project.kind,
        classes=tuple(ManifestClass(label.id, label.name) for label in book),
        images=tuple(_image(image, drawn, index) for image in images if _says_something(image, drawn, index)),
    )


def _says_something(image: Image, drawn: Mapping[uuid.UUID, list[_Drawn]], index: Mapping[uuid.UUID, int]) -> bool:
    """Whether it was found good, or shows something that the label book still has."""
    boxes = drawn.get(cast("uuid.UUID", image.accepted_id), [])
    return not boxes or any(label in index for label, *_ in boxes)


def _boxes_of(annotation_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[_Drawn]]:
    """Annotation → its boxes in the order they were given, as class and place."""
    drawn: dict[uuid.UUID, list[_Drawn]] = defaultdict(list)
    for start in range(0, len(annotation_ids), _BATCH):
        rows = Box.objects.filter(annotation_id__in=annotation_ids[start : start + _BATCH]).order_by("id")
        columns = ("annotation_id", "defect_class_id", "x", "y", "width", "height")
        for annotation_id, label, x, y, width, height in rows.values_list(*columns):
            drawn[annotation_id].append((label, x, y, width, height))
    return drawn


def _image(image: Image, drawn: Mapping[uuid.UUID, list[_Drawn]], index: Mapping[uuid.UUID, int]) -> ManifestImage:
    accepted = cast("uuid.UUID", image.accepted_id)
    return ManifestImage(
        id=image.id,
        filename=image.filename,
        sha256=image.stored_sha256,
        type=image.stored_type,
        width=cast("int", image.width),  # the database holds READY images to it
        height=cast("int", image.height),
        split=image.split,
        group=image.group or str(image.id),
        metadata=image.metadata,
        annotation=accepted,
        boxes=tuple(ManifestBox(index[label], *place) for label, *place in drawn.get(accepted, []) if label in index),
    )


def _store(context: JobContext, snapshot: Snapshot, manifest: Manifest) -> None:
    """Puts both files at their addresses, and what is known of them into the row (unsaved)."""
    storage = TenantStorage(context.tenant_id)
    data = manifest.to_bytes()
    if len(data) > MAX_MANIFEST_BYTES:
        raise JobFailed(
            "snapshot_too_large",
            f"The manifest would take {len(data)} bytes; the most is {MAX_MANIFEST_BYTES}.",
            hint="Shorten the images' metadata, or split the project.",
        )
    snapshot.manifest_sha256 = _put(context, storage, data, manifest_key)
    coco = to_coco(manifest, manifest_sha256=snapshot.manifest_sha256)
    snapshot.coco_sha256 = _put(context, storage, coco, coco_key)
    _count(snapshot, manifest)


def _put(context: JobContext, storage: TenantStorage, data: bytes, key_of: Callable[[str], str]) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    path = context.scratch / f"{sha256}.json"
    path.write_bytes(data)
    storage.put_once(key_of(sha256), path, content_type=JSON, sha256=sha256)
    return sha256


def _count(snapshot: Snapshot, manifest: Manifest) -> None:
    boxes = Counter(box.class_index for image in manifest.images for box in image.boxes)
    images = Counter(place for image in manifest.images for place in {box.class_index for box in image.boxes})
    splits = Counter(image.split for image in manifest.images)
    snapshot.image_count = len(manifest.images)
    snapshot.box_count = boxes.total()
    snapshot.classes = [
        {"id": str(label.id), "name": label.name, "images": images[place], "boxes": boxes[place]}
        for place, label in enumerate(manifest.classes)
    ]
    snapshot.splits = {split: splits[split] for split in Image.Split.values}


def _publish(context: JobContext, snapshot: Snapshot) -> None:
    counted = ("manifest_sha256", "coco_sha256", "image_count", "box_count", "classes", "splits")
    with context.publishing():
        building = Snapshot.objects.filter(id=snapshot.id, status=Snapshot.Status.BUILDING)
        building.update(status=Snapshot.Status.READY, **{name: getattr(snapshot, name) for name in counted})


def _summary(snapshot: Snapshot) -> dict[str, Any]:
    return {"snapshot": str(snapshot.id), "images": snapshot.image_count, "boxes": snapshot.box_count}
