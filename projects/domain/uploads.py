"""Uploads: forms and part addresses, straight to S3, and the call that says which files arrived.

None of these runs in a scope: each opens short ones around its talk with S3.
"""

import hashlib
import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from projects.domain.ingest import INCOMING, INGEST, incoming_key
from projects.domain.queries import image_named, project_named
from projects.domain.registration import as_json, register_images
from projects.models import Image
from tenants import audit, jobs
from tenants.domain.quotas import QuotaExceeded
from tenants.ids import uuid7
from tenants.models import Job
from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.scope import tenant_scope
from tenants.storage import UPLOAD_SECONDS, ObjectMissing, TenantStorage

# Bytes. Larger files go in parts, which can be resumed.
MULTIPART_FROM = 16 * 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
# A job holds a slot until it ends, and other tenants wait for it: a second or two of work, not a hundred files'.
IMAGES_A_JOB = 25


class UploadRefused(Refusal):
    """The one file of a direct upload was refused; `code` in the body is the item's own."""

    status = 400
    title = "The file is not taken"

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(error["message"], hint=error["hint"])
        self.code = error["code"]  # type: ignore[misc]  # the item's own code, on the instance
        if self.code == QuotaExceeded.code:
            self.status = QuotaExceeded.status  # type: ignore[misc]  # as everywhere


@dataclass
class Arrival:
    """What `complete_uploads` found of one image."""

    image: str
    status: str
    error: dict[str, str] | None = None


@dataclass
class Completion:
    """`jobs` are those that ingest what has arrived, oldest first; none when nothing is left to do."""

    arrivals: list[Arrival]
    jobs: list[uuid.UUID]


def request_uploads(*, project_id: uuid.UUID, items: Sequence[object], by: Principal) -> list[dict[str, Any]]:
    """Registers the files and says, for each that is awaited, how to send it. Asking again resumes.

    Raises NotFound. Item by item, an answer has `upload` (a POST form, or part addresses), or says that the file is
    there already, or why it is refused.
    """
    with tenant_scope(by.tenant_id):
        results = register_images(project_id=project_id, items=items, by=by)
    storage = TenantStorage(by.tenant_id)
    lines = []
    for result in results:
        line = as_json(result)
        if result.image is not None and result.status == Image.Status.AWAITING and not result.duplicate:
            line["upload"] = _way_in(storage, result.image, by)
        lines.append(line)
    return lines


def _way_in(storage: TenantStorage, image: Image, by: Principal) -> dict[str, Any]:
    expires_at = (timezone.now() + timedelta(seconds=UPLOAD_SECONDS)).isoformat()
    if image.size > MULTIPART_FROM:
        return _parts(storage, image, by) | {"expires_at": expires_at}
    form = storage.presign_upload(
        incoming_key(image.id), size=image.size, content_type=image.content_type, sha256=image.sha256
    )
    return {"method": "POST", "url": form.url, "fields": form.fields, "expires_at": expires_at}


def _parts(storage: TenantStorage, image: Image, by: Principal) -> dict[str, Any]:
    key, sizes = incoming_key(image.id), part_sizes(image.size)
    there: dict[int, tuple[int, str]] = {}
    if image.multipart_id:
        try:
            there = storage.uploaded_parts(key, upload_id=image.multipart_id, sizes=sizes)
        except ObjectMissing:
            image.multipart_id = ""
    if not image.multipart_id:
        image.multipart_id = storage.start_multipart(key, content_type=image.content_type)
        with tenant_scope(by.tenant_id):
            Image.objects.filter(id=image.id).update(multipart_id=image.multipart_id)
    parts = [
        {
            "number": number,
            "size": size,
            "url": storage.presign_part(key, upload_id=image.multipart_id, number=number, size=size),
        }
        for number, size in sizes.items()
    ]
    uploaded = [number for number, (size, _) in there.items() if sizes.get(number) == size]
    return {"method": "MULTIPART", "part_size": PART_BYTES, "parts": parts, "uploaded": sorted(uploaded)}


def part_sizes(size: int) -> dict[int, int]:
    """Part number → bytes, for a file of `size` bytes."""
    count = math.ceil(size / PART_BYTES)
    return {number: min(PART_BYTES, size - (number - 1) * PART_BYTES) for number in range(1, count + 1)}


def complete_uploads(*, project_id: uuid.UUID, image_ids: Sequence[uuid.UUID], by: Principal) -> Completion:
    """Looks which files have arrived, and asks for their ingest. Repeating it changes nothing. Raises NotFound."""
    with tenant_scope(by.tenant_id):
        project_named(project_id)
        awaited = list(_images(project_id, image_ids).filter(status=Image.Status.AWAITING))
    arrived = _arrived(TenantStorage(by.tenant_id), awaited) if awaited else set()
    with tenant_scope(by.tenant_id):
        _ask_for_ingest(project_id, image_ids, arrived, by=by)
        found = {image.id: image for image in _images(project_id, image_ids)}
    at_work = {image.job_id for image in found.values() if image.job_id and image.status == Image.Status.ARRIVED}
    return Completion(
        arrivals=[_arrival(image_id, found.get(image_id)) for image_id in image_ids], jobs=sorted(at_work)
    )


def _images(project_id: uuid.UUID, image_ids: Iterable[uuid.UUID]) -> QuerySet[Image]:
    return Image.objects.filter(project_id=project_id, id__in=image_ids, deleted_at=None, project__deleted_at=None)


def _arrived(storage: TenantStorage, awaited: Iterable[Image]) -> set[uuid.UUID]:
    for image in awaited:
        if image.multipart_id:
            _finish_parts(storage, image)
    return {uuid.UUID(name) for name in storage.sizes(INCOMING, names=[str(image.id) for image in awaited])}


def _finish_parts(storage: TenantStorage, image: Image) -> None:
    """Puts the parts together when all have arrived; otherwise leaves them for more."""
    key, sizes = incoming_key(image.id), part_sizes(image.size)
    try:
        there = storage.uploaded_parts(key, upload_id=image.multipart_id, sizes=sizes)
        if {number: size for number, (size, _) in there.items()} == sizes:
            storage.finish_multipart(key, upload_id=image.multipart_id, parts=there)
    except ObjectMissing:
        # Put together by an earlier call that did not live to say so: the listing will show the object.
        return


def _ask_for_ingest(
    project_id: uuid.UUID, image_ids: Sequence[uuid.UUID], arrived: Iterable[uuid.UUID], *, by: Principal
) -> None:
    """Enqueues jobs for what arrived, and for what a job that ended has left."""
    images = _images(project_id, image_ids)
    asked_before = images.filter(status=Image.Status.ARRIVED).values("job_id")
    ended = list(Job.objects.filter(id__in=asked_before).exclude(state__in=Job.ACTIVE).values_list("id", flat=True))
    # Only rows that no job may publish are locked; a concurrent call waits for them, and finds them given away.
    left = Q(status=Image.Status.AWAITING, id__in=arrived) | Q(status=Image.Status.ARRIVED, job_id__in=ended)
    locked = images.filter(left).select_for_update(of=("self",)).order_by("id")
    new = [str(image.id) for image in locked]
    for start in range(0, len(new), IMAGES_A_JOB):
        part = new[start : start + IMAGES_A_JOB]
        # The rows' lock makes it one job an arrival, so the job's key need not.
        job, _ = jobs.enqueue(kind=INGEST, key=str(uuid7()), spec={"project": str(project_id), "images": part})
        Image.objects.filter(id__in=part).update(status=Image.Status.ARRIVED, job=job)
        audit.record("images.arrived", by=by, target=project_id, count=len(part), job=str(job.id))


def _arrival(image_id: uuid.UUID, image: Image | None) -> Arrival:
    if image is None:
        return Arrival(str(image_id), "NOT_FOUND")
    if image.status == Image.Status.AWAITING:
        return Arrival(str(image_id), "MISSING")
    return Arrival(str(image_id), image.status, image.error)


def upload_directly(
    *, project_id: uuid.UUID, data: bytes, description: dict[str, Any], by: Principal
) -> tuple[Image, uuid.UUID | None]:
    """The bounded door for clients without an S3 form: registers one file, stores it, asks for its ingest.

    `description` has an item's `filename`, `content_type` and optional fields. The bytes are not decoded here.
    Returns the image and its ingest's job (None when the file was there). Raises NotFound or UploadRefused.
    """
    item = description | {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    with tenant_scope(by.tenant_id):
        result = register_images(project_id=project_id, items=[item], by=by)[0]
    if result.image is None:
        raise UploadRefused(result.error or {})
    job_id = result.image.job_id
    if result.status == Image.Status.AWAITING:
        key = incoming_key(result.image.id)
        TenantStorage(by.tenant_id).put(key, data, content_type=result.image.content_type)
        done = complete_uploads(project_id=project_id, image_ids=[result.image.id], by=by)
        job_id = done.jobs[0] if done.jobs else None
    with tenant_scope(by.tenant_id):
        image = image_named(result.image.id)
    return image, job_id
