"""The manifest of a snapshot: what a run learns from, and by its hash what it provably learned from.

Canonical JSON, so that the same data is the same file: neither number, note nor time of the snapshot stand in it.
"""

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from projects.models import Image, Snapshot
from tenants.refusals import Refusal
from tenants.storage import ObjectMissing, ObjectTooLarge, TenantStorage

FORMAT = 1
JSON = "application/json"
# A hundred thousand images with ten boxes each.
MAX_MANIFEST_BYTES = 256 * 1024 * 1024
# Ids a query.
_BATCH = 5000


class ManifestDamaged(Refusal):
    """What S3 holds is not what was published: nothing may be learned or compared from it."""

    code = "snapshot_damaged"
    title = "The snapshot is damaged"

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(
            f"The stored manifest of snapshot {snapshot.number} is missing or does not match its hash.",
            hint="Create a new snapshot; the annotations themselves are not touched. Tell the operator of this one.",
        )


class ManifestTooLarge(Refusal):
    code = "snapshot_too_large"
    title = "The snapshot is too large"

    def __init__(self, snapshot: Snapshot, max_bytes: int) -> None:
        super().__init__(
            f"The manifest of snapshot {snapshot.number} has more than {max_bytes} bytes.",
            hint="Fetch it (GET /api/v1/snapshots/{id}/manifest) and read it on your side.",
        )


class SnapshotNotReady(Refusal):
    code = "snapshot_not_ready"
    title = "The snapshot has no files"

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(
            f"Snapshot {snapshot.number} has no manifest; its job has not finished, or failed.",
            hint="Wait until it is READY; if it is FAILED, create a new one.",
        )


@dataclass(frozen=True)
class ManifestClass:
    id: uuid.UUID
    name: str


@dataclass(frozen=True)
class ManifestBox:
    """COCO's box in pixels of the upright image; `class_index` counts the manifest's classes from 0."""

    class_index: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class ManifestImage:
    """A labelled image as it is stored; one without boxes was found good."""

    id: uuid.UUID
    filename: str
    sha256: str  # of the stored file, which names its object
    type: str
    width: int
    height: int
    split: str
    group: str  # never empty: an image that shares its group with no other is its own
    metadata: Mapping[str, Any]
    annotation: uuid.UUID
    boxes: tuple[ManifestBox, ...]


@dataclass(frozen=True)
class Manifest:
    """Classes in the order of the label book, images in that of their ids, boxes as they were given."""

    project: uuid.UUID
    kind: str
    classes: tuple[ManifestClass, ...]
    images: tuple[ManifestImage, ...]

    def to_bytes(self) -> bytes:
        """The canonical file; `sha256` of it is the snapshot's identity."""
        return canonical(
            {
                "format": FORMAT,
                "project": str(self.project),
                "kind": self.kind,
                "classes": [{"id": str(label.id), "name": label.name} for label in self.classes],
                "images": [_image_json(image) for image in self.images],
            }
        )


def canonical(document: Mapping[str, Any]) -> bytes:
    """JSON that is the same for equal documents."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def read_manifest(data: bytes) -> Manifest:
    """The manifest in these bytes. Raises ValueError on what is none, or of a format that is not known."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"manifest of format {document['format']!r}, not {FORMAT}")
        return Manifest(
            project=uuid.UUID(document["project"]),
            kind=document["kind"],
            classes=tuple(ManifestClass(uuid.UUID(label["id"]), label["name"]) for label in document["classes"]),
            images=tuple(_image(image) for image in document["images"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a manifest: {error!r}") from error


def manifest_key(sha256: str) -> str:
    return f"manifests/{sha256}.json"


def coco_key(sha256: str) -> str:
    return f"exports/{sha256}.json"


def load_manifest(*, snapshot: Snapshot, storage: TenantStorage, max_bytes: int = MAX_MANIFEST_BYTES) -> Manifest:
    """Fetches a READY snapshot's manifest and holds it against its hash. Not in a scope.

    Raises SnapshotNotReady, ManifestTooLarge, or ManifestDamaged when it is gone or is not what was published.
    """
    if snapshot.status != Snapshot.Status.READY:
        raise SnapshotNotReady(snapshot)
    try:
        data = storage.read(manifest_key(snapshot.manifest_sha256), max_bytes=max_bytes)
        if hashlib.sha256(data).hexdigest() != snapshot.manifest_sha256:
            raise ManifestDamaged(snapshot)
        return read_manifest(data)
    except ObjectTooLarge as error:
        raise ManifestTooLarge(snapshot, max_bytes) from error
    except (ObjectMissing, ValueError) as error:
        raise ManifestDamaged(snapshot) from error


def missing_images(*, manifest: Manifest) -> list[ManifestImage]:
    """The images that are deleted by now, in the manifest's order; with any, the snapshot is *reduced*.

    In a scope; one query for each 5,000 images.
    """
    ids = [image.id for image in manifest.images]
    there: set[uuid.UUID] = set()
    for start in range(0, len(ids), _BATCH):
        there |= _undeleted(ids[start : start + _BATCH])
    return [image for image in manifest.images if image.id not in there]


def _undeleted(ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    rows = Image.objects.filter(id__in=ids, deleted_at=None, project__deleted_at=None)
    return set(rows.values_list("id", flat=True))


def _image_json(image: ManifestImage) -> dict[str, Any]:
    return {
        "id": str(image.id),
        "filename": image.filename,
        "sha256": image.sha256,
        "type": image.type,
        "width": image.width,
        "height": image.height,
        "split": image.split,
        "group": image.group,
        "metadata": image.metadata,
        "annotation": str(image.annotation),
        "boxes": [[box.class_index, box.x, box.y, box.width, box.height] for box in image.boxes],
    }


def _image(document: Mapping[str, Any]) -> ManifestImage:
    return ManifestImage(
        id=uuid.UUID(document["id"]),
        filename=document["filename"],
        sha256=document["sha256"],
        type=document["type"],
        width=document["width"],
        height=document["height"],
        split=document["split"],
        group=document["group"],
        metadata=document["metadata"],
        annotation=uuid.UUID(document["annotation"]),
        boxes=tuple(ManifestBox(*box) for box in document["boxes"]),
    )
