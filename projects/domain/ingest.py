"""Ingest: what arrived is fetched, decoded in a child process, cleaned, stored under its hash, and published.

Published chunk by chunk, each in one transaction that checks the lease: a crash at any line leaves images either
ARRIVED, and taken up again by the next attempt, or READY and whole. Objects are content-addressed, so storing one
twice is storing it once.
"""

import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from projects.domain.decoding import DecodedImage, DecodeRequest, DecodeResult
from projects.domain.images import image_key, thumbnail_key
from projects.domain.items import MAX_FILE_BYTES
from projects.models import Image, Project
from tenants.jobs import JobContext
from tenants.scope import tenant_scope
from tenants.storage import ObjectMissing, TenantStorage

INGEST = "ingest"
INCOMING = "incoming"
# Images a transaction: what a crash repeats at most, and how fine the progress is.
CHUNK = 16
# Transfers at once; S3 answers in milliseconds, so a few threads keep one core busy.
_TRANSFERS = 4

# The error of images whose job ended without them; `sweeping` writes it.
INGEST_ENDED = {
    "code": "ingest_ended",
    "message": "The job that was to take this image in has ended without it.",
    "hint": "Upload the file again, or report the upload as complete again.",
}

# Brings the bytes of images into a folder, each under its id; answers with an error for each whose are not to be had.
Fetch = Callable[[Sequence[Image], Path], dict[uuid.UUID, dict[str, str]]]


def incoming_key(image_id: uuid.UUID | str) -> str:
    """Where an image's bytes arrive; an incoming object is deleted when its image is published or refused."""
    return f"{INCOMING}/{image_id}"


def ingest(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `ingest`: its spec names the project and some images."""
    names: list[str] = context.spec["images"]
    storage = TenantStorage(context.tenant_id)
    waiting, left_over = _look(context, names)
    if left_over:
        storage.delete(incoming_key(name) for name in left_over)
    done = len(names) - len(waiting)
    context.progress(done, len(names), "ingesting")
    for start in range(0, len(waiting), CHUNK):
        context.check()
        chunk = waiting[start : start + CHUNK]
        take_in(context, storage, chunk, fetch=partial(_fetch, storage))
        done += len(chunk)
        context.progress(done, len(names), "ingesting")
    return _summary(context, names)


def _look(context: JobContext, names: Sequence[str]) -> tuple[list[Image], list[str]]:
    """The images to ingest, and those whose incoming bytes nobody needs any more.

    An earlier attempt may have published an image and died before it deleted what came in. What is being sent again
    meanwhile, or was given to another job, is neither.
    """
    with tenant_scope(context.tenant_id):
        rows = list(Image.objects.filter(id__in=names, deleted_at=None).order_by("id"))
    waiting = [image for image in rows if image.status == Image.Status.ARRIVED and image.job_id == context.job_id]
    needed = {str(image.id) for image in rows if image.status in (Image.Status.AWAITING, Image.Status.ARRIVED)}
    return waiting, [name for name in names if name not in needed]


def take_in(context: JobContext, storage: TenantStorage, chunk: Sequence[Image], *, fetch: Fetch) -> None:
    """Takes in images of one project that are ARRIVED in the name of this job: afterwards each is READY or FAILED.

    All or none of them: a crash leaves them ARRIVED. What came in for them is deleted. Raises Stopped or LeaseLost.
    """
    folder = context.scratch / uuid.uuid4().hex
    folder.mkdir()
    try:
        errors = fetch(chunk, folder)
        requests = [_request(image, folder) for image in chunk if image.id not in errors]
        results = context.children.decoder.decode(requests, should_stop=context.should_stop)
        # Stopped half-way: nothing of this chunk is published, the next attempt does it again.
        context.check()
        results = _spared(context, chunk, results, folder)
        _store(storage, [result for result in results if isinstance(result, DecodedImage)])
        _publish(context, chunk, results, errors)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the whole scratch folder goes with the job anyway
    storage.delete(incoming_key(image.id) for image in chunk)


def _fetch(storage: TenantStorage, chunk: Sequence[Image], folder: Path) -> dict[uuid.UUID, dict[str, str]]:
    """Downloads the chunk; returns an error for each image whose bytes are not there."""

    def fetch(image: Image) -> tuple[uuid.UUID, dict[str, str] | None]:
        try:
            storage.download(incoming_key(image.id), folder / str(image.id), max_bytes=MAX_FILE_BYTES)
        except ObjectMissing:
            return image.id, {
                "code": "missing",
                "message": f"{image.filename}: the uploaded bytes are gone.",
                "hint": "Upload the file again.",
            }
        except ValueError:
            return image.id, {
                "code": "size_mismatch",
                "message": f"{image.filename}: more bytes arrived than were declared.",
                "hint": "Upload the file again.",
            }
        return image.id, None

    with ThreadPoolExecutor(_TRANSFERS) as pool:
        return {image_id: error for image_id, error in pool.map(fetch, chunk) if error is not None}


def _request(image: Image, folder: Path) -> DecodeRequest:
    return DecodeRequest(
        key=str(image.id),
        path=folder / str(image.id),
        declared_type=image.content_type,
        declared_sha256=image.sha256,
        declared_size=image.size,
        out_dir=folder,
        filename=image.filename,
    )


def _spared(
    context: JobContext, chunk: Sequence[Image], results: Sequence[DecodeResult], folder: Path
) -> list[DecodeResult]:
    """The results, but that a file which this tenant's ingest once wrote stays as it is.

    Such files come back from exports. They were cleaned then, and a JPEG that is encoded again is another one.
    """
    with tenant_scope(context.tenant_id):
        rows = Image.objects.filter(stored_sha256__in=[image.sha256 for image in chunk])
        ours = set(rows.filter(status=Image.Status.READY, deleted_at=None).values_list("stored_sha256", flat=True))

    def spared(result: DecodeResult) -> DecodeResult:
        if not isinstance(result, DecodedImage) or result.sha256 not in ours:
            return result
        path = folder / result.key
        return replace(result, stored_sha256=result.sha256, stored_path=path, stored_size=path.stat().st_size)

    return [spared(result) for result in results]


def _store(storage: TenantStorage, decoded: Iterable[DecodedImage]) -> None:
    def store(result: DecodedImage) -> None:
        storage.put_once(
            image_key(result.stored_sha256),
            result.stored_path,
            content_type=result.stored_type,
            sha256=result.stored_sha256,
        )
        storage.put_once(
            thumbnail_key(result.thumbnail_sha256),
            result.thumbnail_path,
            content_type="image/webp",
            sha256=result.thumbnail_sha256,
        )

    with ThreadPoolExecutor(_TRANSFERS) as pool:
        list(pool.map(store, decoded))


def _publish(
    context: JobContext,
    chunk: Sequence[Image],
    results: Sequence[DecodeResult],
    errors: dict[uuid.UUID, dict[str, str]],
) -> None:
    outcome = {uuid.UUID(result.key): result for result in results}
    with context.publishing():
        # The project's lock makes publications take turns, so that equal pictures are seen here, not by a constraint.
        Project.objects.select_for_update().get(id=chunk[0].project_id)
        for image in chunk:
            result = outcome.get(image.id)
            if isinstance(result, DecodedImage):
                changes = _as_ready(image, result)
            elif result is not None:
                error = {"code": str(result.code), "message": result.message, "hint": result.hint}
                changes = {"status": Image.Status.FAILED, "error": error}
            else:
                changes = {"status": Image.Status.FAILED, "error": errors[image.id]}
            waiting = Image.objects.filter(id=image.id, status=Image.Status.ARRIVED, job_id=context.job_id)
            waiting.filter(deleted_at=None).update(**changes)


def _as_ready(image: Image, result: DecodedImage) -> dict[str, Any]:
    twin = Image.objects.filter(
        project_id=image.project_id,
        stored_sha256=result.stored_sha256,
        status=Image.Status.READY,
        deleted_at=None,
    ).first()
    if twin is not None:
        error = {
            "code": "duplicate_content",
            "message": f"{image.filename} shows the same picture as {twin.filename}, in another file.",
            "hint": "Nothing to do: the picture is in the project already.",
            "image": str(twin.id),
        }
        return {"status": Image.Status.FAILED, "error": error}
    return {
        "status": Image.Status.READY,
        "error": None,
        "stored_sha256": result.stored_sha256,
        "stored_type": result.stored_type,
        "thumbnail_sha256": result.thumbnail_sha256,
        "width": result.width,
        "height": result.height,
        "near_hash": result.near_hash,
        "multipart_id": "",
    }


def _summary(context: JobContext, names: Sequence[str]) -> dict[str, Any]:
    with tenant_scope(context.tenant_id):
        statuses = list(Image.objects.filter(id__in=names).values_list("status", flat=True))
    return {"ready": statuses.count(Image.Status.READY), "failed": statuses.count(Image.Status.FAILED)}
