"""What a run learns from, fetched: the stored images of its snapshot, decoded in a child process to pixels on disk."""

import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.conf import settings

from projects.domain.decoding import DecodedPixels, DecodeFailure, PixelRequest
from projects.domain.images import image_key
from projects.domain.manifests import Manifest, ManifestImage, missing_images
from tenants.jobs import JobContext, JobFailed
from tenants.scope import tenant_scope
from tenants.storage import ObjectMissing, TenantStorage

# Images a turn: how fine the progress is, and how soon a cancel is noticed.
CHUNK = 16
# Of a stored file; we wrote it, so it is no larger than what was taken in.
_MAX_FILE_BYTES = 512 * 1024 * 1024
_TRANSFERS = 4
# Filenames that an error names.
_NAMED = 5


def refuse_reduced(context: JobContext, manifest: Manifest) -> None:
    """Raises JobFailed when images of the snapshot were deleted: what is gone must not be learnt from."""
    with tenant_scope(context.tenant_id):
        gone = missing_images(manifest=manifest)
    if gone:
        raise _reduced(gone)


def refuse_oversized(manifest: Manifest) -> None:
    """Raises JobFailed when the pixels would not leave room for their features on the worker's disk."""
    size = sum(image.width * image.height * 3 for image in manifest.images)
    most = settings.ENGINE_SCRATCH_BYTES // 2
    if size > most:
        raise JobFailed(
            "snapshot_too_large",
            f"The snapshot's images are {size / 1e9:.1f} GB of pixels; a run takes at most {most / 1e9:.1f} GB.",
            hint="Upload smaller images, or label fewer of them: a few hundred are enough for this recipe.",
        )


def fetch_pixels(context: JobContext, storage: TenantStorage, manifest: Manifest) -> dict[str, Path]:
    """File name → path of each image's pixels, `.npy` in the job's scratch. Not in a scope.

    Raises JobFailed for an image whose stored file is gone, damaged or cannot be decoded; Stopped.
    """
    folder = context.scratch / "pixels"
    folder.mkdir()
    files: dict[str, Path] = {}
    images, done = manifest.images, 0
    for start in range(0, len(images), CHUNK):
        context.check()
        context.progress(done, len(images), "fetching images")
        chunk = images[start : start + CHUNK]
        files |= _fetch_chunk(context, storage, chunk, folder)
        done += len(chunk)
    context.progress(done, len(images), "fetching images")
    return files


def file_name(image: ManifestImage) -> str:
    return f"{image.id}.npy"


def _fetch_chunk(
    context: JobContext, storage: TenantStorage, chunk: Sequence[ManifestImage], folder: Path
) -> dict[str, Path]:
    stored = context.scratch / "stored"
    stored.mkdir()
    try:
        with ThreadPoolExecutor(_TRANSFERS) as pool:
            requests = list(pool.map(lambda image: _download(storage, image, stored), chunk))
        results = context.children.decoder.read_pixels(requests, out_dir=folder, should_stop=context.should_stop)
    finally:
        shutil.rmtree(stored, ignore_errors=True)  # the whole scratch folder goes with the job anyway
    # Stopped half-way, some are missing.
    context.check()
    return {f"{result.key}.npy": _decoded(result) for result in results}


def _download(storage: TenantStorage, image: ManifestImage, folder: Path) -> PixelRequest:
    path = folder / str(image.id)
    try:
        storage.download(image_key(image.sha256), path, max_bytes=_MAX_FILE_BYTES)
    except ObjectMissing as error:
        raise _reduced([image]) from error
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != image.sha256:
        raise JobFailed(
            "image_damaged",
            f"The stored file of {image.filename} does not match its hash.",
            hint="Upload the image again, label it, and create another snapshot. Tell the operator of this one.",
        )
    return PixelRequest(
        key=str(image.id),
        path=path,
        declared_type=image.type,
        width=image.width,
        height=image.height,
        filename=image.filename,
    )


def _decoded(result: DecodedPixels | DecodeFailure) -> Path:
    if isinstance(result, DecodeFailure):
        raise JobFailed(
            str(result.code),
            result.message,
            hint="Delete the image or upload it again, and create another snapshot.",
        )
    return result.path


def _reduced(gone: Sequence[ManifestImage]) -> JobFailed:
    names = ", ".join(image.filename for image in gone[:_NAMED]) + (", …" if len(gone) > _NAMED else "")
    count = "1 image" if len(gone) == 1 else f"{len(gone)} images"
    return JobFailed(
        "snapshot_reduced",
        f"{count} of the snapshot were deleted since: {names}." if len(gone) > 1 else f"{names} was deleted since.",
        hint="Create another snapshot of what is labelled now, and run on that.",
    )
