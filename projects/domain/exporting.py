"""Exporting: a snapshot's manifest and stored images become one zip, which is stored and then published.

The row is BUILDING until one transaction that checks the lease makes it READY or FAILED. The zip depends on the
manifest, the label book's words and which images are left, so an attempt that is broken off and one that follows it
make the same.
"""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from django.utils import timezone

from projects.domain.archives.contents import GIB, SIDECAR, ArchiveClass
from projects.domain.archives.layouts import CannotBeWritten, Layout
from projects.domain.archives.write_coco import coco_layout
from projects.domain.archives.write_names import entry_names
from projects.domain.archives.write_sidecar import sidecar
from projects.domain.archives.write_voc import voc_layout
from projects.domain.archives.write_yolo import yolo_layout
from projects.domain.archives.write_zip import ZipWriter, writing
from projects.domain.images import image_key
from projects.domain.manifests import (
    Manifest,
    ManifestDamaged,
    ManifestImage,
    ManifestTooLarge,
    load_manifest,
    missing_images,
)
from projects.models import DefectClass, SnapshotExport
from tenants.jobs import JobContext, JobFailed
from tenants.scope import tenant_scope
from tenants.storage import ObjectMissing, TenantStorage

SNAPSHOT_EXPORT = "snapshot_export"
ZIP: Final = "application/zip"
# Of the whole zip, which takes as much of the worker's disk while it is made.
MAX_EXPORT_BYTES = 20 * GIB
# A stored image: a bitmap of 128 MB, as PNG, takes no more.
_MAX_IMAGE_BYTES = 256 * 1024 * 1024
# Images fetched before they are packed, and so many at a time.
_CHUNK = 64
_TRANSFERS = 8
LAYOUTS: Final[Mapping[str, Callable[..., Layout]]] = {
    SnapshotExport.Format.COCO: coco_layout,
    SnapshotExport.Format.VOC: voc_layout,
    SnapshotExport.Format.YOLO: yolo_layout,
}


@dataclass(frozen=True)
class _Source:
    """What an export is made from: the manifest less what was deleted, and the words of the label book."""

    export: SnapshotExport
    manifest: Manifest
    classes: Sequence[ArchiveClass]
    missing: int


def export_folder(export_id: uuid.UUID) -> str:
    """Of each export its own, so that one that is over is cleared away whole."""
    return f"archives/{export_id}"


def export_key(*, export_id: uuid.UUID, sha256: str) -> str:
    return f"{export_folder(export_id)}/{sha256}.zip"


def build_export(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `snapshot_export`: its spec names the row."""
    export_id = uuid.UUID(context.spec["export"])
    try:
        return _build(context, export_id)
    except JobFailed as failure:
        with context.publishing():
            building = SnapshotExport.objects.filter(id=export_id, status=SnapshotExport.Status.BUILDING)
            building.update(status=SnapshotExport.Status.FAILED, error=failure.error)
        raise


def _build(context: JobContext, export_id: uuid.UUID) -> dict[str, Any]:
    with tenant_scope(context.tenant_id):
        export = _asked_for(export_id)
    if export.status != SnapshotExport.Status.BUILDING:
        # An earlier attempt published, and died before it could say so.
        return _summary(export)
    storage = TenantStorage(context.tenant_id)
    source = _read(context, storage, export)
    path = context.scratch / "export.zip"
    _pack(context, storage, source, path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    total = len(source.manifest.images)
    context.progress(total, total, "storing")
    context.check()
    storage.put_file(export_key(export_id=export.id, sha256=sha256), path, content_type=ZIP)
    _publish(context, source, sha256=sha256, size=path.stat().st_size)
    context.progress(total, total, "done")
    return _summary(export)


def _asked_for(export_id: uuid.UUID) -> SnapshotExport:
    found = SnapshotExport.objects.select_related("snapshot").filter(id=export_id).first()
    if found is None:
        raise JobFailed("not_found", "The export is not there any more.", hint="Ask for another one.")
    if found.status == SnapshotExport.Status.FAILED:
        # Written by an earlier attempt, which died before it could say so.
        error: dict[str, str] = found.error or {}
        raise JobFailed(error["code"], error["message"], hint=error["hint"])
    return found


def _read(context: JobContext, storage: TenantStorage, export: SnapshotExport) -> _Source:
    try:
        manifest = load_manifest(snapshot=export.snapshot, storage=storage)
    except (ManifestDamaged, ManifestTooLarge) as error:
        raise JobFailed(error.code, error.detail, hint=error.hint) from error
    with tenant_scope(context.tenant_id):
        gone = {image.id for image in missing_images(manifest=manifest)}
        classes = _label_book(manifest)
    left = tuple(image for image in manifest.images if image.id not in gone)
    if not left:
        raise JobFailed(
            "nothing_left",
            "Every image of this snapshot was deleted since.",
            hint="Create another snapshot of what is labelled now, and export that.",
        )
    return _Source(export, replace(manifest, images=left), classes, missing=len(gone))


def _label_book(manifest: Manifest) -> list[ArchiveClass]:
    """The manifest's classes with what the label book says of them now: a manifest has their names alone."""
    rows = DefectClass.objects.filter(project_id=manifest.project, id__in=[label.id for label in manifest.classes])
    said = {row.id: row for row in rows}
    return [
        ArchiveClass(label.name, definition=row.definition, rule=row.rule, color=row.color)
        if (row := said.get(label.id))
        else ArchiveClass(label.name)
        for label in manifest.classes
    ]


def _pack(context: JobContext, storage: TenantStorage, source: _Source, path: Path) -> None:
    manifest = source.manifest
    names = entry_names((image.filename, image.type) for image in manifest.images)
    try:
        layout = LAYOUTS[source.export.format](manifest, names=names)
    except CannotBeWritten as error:
        raise JobFailed("export_impossible", str(error), hint=error.hint) from error
    with writing(path) as archive:
        archive.add_text(SIDECAR, sidecar(manifest, paths=layout.paths, classes=source.classes))
        for place, data in layout.texts:
            archive.add_text(place, data)
        _pack_images(context, storage, archive, list(zip(layout.paths, manifest.images, strict=True)))


def _pack_images(
    context: JobContext, storage: TenantStorage, archive: ZipWriter, images: Sequence[tuple[str, ManifestImage]]
) -> None:
    done, packed = 0, 0
    while chunk := images[done : done + _CHUNK]:
        context.check()
        context.progress(done, len(images), "packing images")
        for place, file in _fetched(context, storage, chunk):
            packed += file.stat().st_size
            if packed > MAX_EXPORT_BYTES:
                raise JobFailed(
                    "export_too_large",
                    f"The images take more than {MAX_EXPORT_BYTES // GIB} GiB.",
                    hint="Fetch the manifest and the images one by one, or split the project.",
                )
            archive.add_file(place, file)
        done += len(chunk)


def _fetched(
    context: JobContext, storage: TenantStorage, chunk: Sequence[tuple[str, ManifestImage]]
) -> Iterator[tuple[str, Path]]:
    """The stored files of the chunk, as long as they are asked for."""
    folder = context.scratch / "stored"
    folder.mkdir()
    try:
        with ThreadPoolExecutor(_TRANSFERS) as pool:
            files = list(pool.map(lambda item: _download(storage, item[1], folder), chunk))
        yield from zip((place for place, _ in chunk), files, strict=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the whole scratch folder goes with the job anyway


def _download(storage: TenantStorage, image: ManifestImage, folder: Path) -> Path:
    path = folder / str(image.id)
    try:
        storage.download(image_key(image.sha256), path, max_bytes=_MAX_IMAGE_BYTES)
        with path.open("rb") as file:
            is_whole = hashlib.file_digest(file, "sha256").hexdigest() == image.sha256
    except (ObjectMissing, ValueError):
        is_whole = False
    if not is_whole:
        raise JobFailed(
            "image_damaged",
            f"The stored file of {image.filename} is missing or does not match its hash.",
            hint="Upload the image again, label it, and create another snapshot. Tell the operator of this one.",
        )
    return path


def _publish(context: JobContext, source: _Source, *, sha256: str, size: int) -> None:
    """Makes the row READY, and `source.export` what it is then."""
    export = source.export
    made = {
        "status": SnapshotExport.Status.READY,
        "sha256": sha256,
        "size": size,
        "image_count": len(source.manifest.images),
        "missing_count": source.missing,
        "ready_at": timezone.now(),
    }
    with context.publishing():
        SnapshotExport.objects.filter(id=export.id, status=SnapshotExport.Status.BUILDING).update(**made)
    for name, value in made.items():
        setattr(export, name, value)


def _summary(export: SnapshotExport) -> dict[str, Any]:
    return {"export": str(export.id), "images": export.image_count, "missing": export.missing_count}
