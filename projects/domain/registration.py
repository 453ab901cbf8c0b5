"""Registering images: rows first, bytes later. Repeating it is how an upload resumes."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from projects.domain.items import ItemRefused, NewImage, echoed, parse_item, shown
from projects.domain.queries import label_book, project_named
from projects.domain.splits import group_of, split_of
from projects.models import Image, ImageClass, Project
from tenants import audit
from tenants.domain.quotas import lock_quota
from tenants.models import Job, Quota
from tenants.permissions import Principal

REJECTED = "REJECTED"


@dataclass
class Registered:
    """What became of one item: an image (new, or there already), or an error."""

    index: int
    filename: str
    status: str
    image: Image | None = None
    duplicate: bool = False
    error: dict[str, str] | None = None


@dataclass
class _Batch:
    """The items that can be read, with what the database already knows of them."""

    project: Project
    quota: Quota
    known: dict[str, Image]
    classes: dict[str, uuid.UUID]
    # Hashes that this batch has an answer for; a second file of the same bytes is a duplicate.
    placed: set[str] = field(default_factory=set)
    new: list[Image] = field(default_factory=list)
    shown: list[ImageClass] = field(default_factory=list)
    # Known, but to be sent again; and awaited, whose description was corrected.
    again: list[Image] = field(default_factory=list)
    corrected: list[Image] = field(default_factory=list)


def register_images(*, project_id: uuid.UUID, items: Sequence[object], by: Principal) -> list[Registered]:
    """Makes a row for each new file, within the quota; answers item by item, in order. Runs in the tenant's scope.

    A file that is there already answers with its image (`duplicate`). One that is still awaited, or whose ingest
    failed or ended, may be sent (again), as it is described now. Raises NotFound when the project is missing.
    """
    results, readable = _read(items)
    # The quota's lock comes first: it makes the tenant's registrations take turns, so a hash is looked up and
    # registered without another request in between, and no project is filled that is being deleted.
    quota = lock_quota()
    project = project_named(project_id, lock=True)
    batch = _Batch(
        project=project,
        quota=quota,
        known=_known(project, (item.sha256 for _, item in readable)),
        classes=label_book(project) if any(item.classes for _, item in readable) else {},
    )
    for result, item in readable:
        _place(result, item, batch)
    _save(batch, by=by)
    return results


def _read(items: Sequence[object]) -> tuple[list[Registered], list[tuple[Registered, NewImage]]]:
    results, readable = [], []
    for index, given in enumerate(items):
        name = given.get("filename") if isinstance(given, dict) else None
        result = Registered(index=index, filename=echoed(name), status=REJECTED)
        results.append(result)
        try:
            readable.append((result, parse_item(given)))
        except ItemRefused as refused:
            result.error = refused.error
    return results, readable


def _known(project: Project, hashes: Iterable[str]) -> dict[str, Image]:
    found = Image.objects.filter(project=project, deleted_at=None, sha256__in=list(hashes)).select_related("job")
    return {image.sha256: image for image in found}


def _place(result: Registered, item: NewImage, batch: _Batch) -> None:
    known = batch.known.get(item.sha256)
    if known is None:
        _place_new(result, item, batch)
        return
    repeated = item.sha256 in batch.placed
    if not repeated and _may_be_sent(known):
        result.error = _correct(known, item, batch)
        if result.error:
            return
        if known.status != Image.Status.AWAITING:
            known.status = Image.Status.AWAITING
            batch.again.append(known)
    batch.placed.add(item.sha256)
    result.image, result.status = known, known.status
    result.duplicate = repeated or known.status != Image.Status.AWAITING


def _place_new(result: Registered, item: NewImage, batch: _Batch) -> None:
    unknown = [name for name in item.classes if name not in batch.classes]
    if unknown:
        result.error = {
            "code": "unknown_class",
            "message": f"{item.filename}: the label book has no class {shown(unknown[0])}.",
            "hint": "Create the class first, or correct its name.",
        }
        return
    result.error = _over_quota(batch.quota, item, images=1, size=item.size)
    if result.error:
        return
    image = _image(item, batch.project)
    batch.quota.images_used += 1
    batch.quota.bytes_used += item.size
    batch.known[item.sha256] = image
    batch.placed.add(item.sha256)
    batch.new.append(image)
    # A class may be named twice, by name and by id.
    class_ids = dict.fromkeys(batch.classes[name] for name in item.classes)
    batch.shown += [ImageClass(image_id=image.id, defect_class_id=class_id) for class_id in class_ids]
    result.image, result.status = image, image.status


def _correct(known: Image, item: NewImage, batch: _Batch) -> dict[str, str] | None:
    """Takes over name, size and type of a file still to come, or nobody could correct a slip; an error if it may not.

    What can be changed elsewhere (metadata, split, classes) stays: this may be an old upload that is resumed.
    """
    described = {"filename": item.filename, "content_type": item.content_type, "size": item.size}
    if all(getattr(known, name) == value for name, value in described.items()):
        return None
    growth = item.size - known.size
    over = _over_quota(batch.quota, item, images=0, size=growth)
    if over:
        return over
    batch.quota.bytes_used += growth
    if growth:
        # Its parts were cut for the other size.
        known.multipart_id = ""
    for name, value in described.items():
        setattr(known, name, value)
    batch.corrected.append(known)
    return None


def _may_be_sent(image: Image) -> bool:
    """It has not come yet, its ingest refused it, or its ingest ended (canceled, or given up) without reaching it."""
    if image.status == Image.Status.ARRIVED:
        return image.job is not None and image.job.state not in Job.ACTIVE
    return image.status in (Image.Status.AWAITING, Image.Status.FAILED)


def _over_quota(quota: Quota, item: NewImage, *, images: int, size: int) -> dict[str, str] | None:
    """The error of an item that would add so many images and bytes too many; giving some back is always allowed."""
    if images > 0 and quota.images_used + images > quota.images_limit:
        what = f"{quota.images_limit} images"
    elif size > 0 and quota.bytes_used + size > quota.bytes_limit:
        what = f"{quota.bytes_limit} bytes"
    else:
        return None
    return {
        "code": "quota_exceeded",
        "message": f"{item.filename}: the quota of {what} is reached.",
        "hint": "Delete images that are no longer needed, or ask the operator for a larger quota.",
    }


def _image(item: NewImage, project: Project) -> Image:
    group = group_of(group=item.group, metadata=item.metadata)
    return Image(
        project_id=project.id,
        filename=item.filename,
        sha256=item.sha256,
        content_type=item.content_type,
        size=item.size,
        metadata=item.metadata,
        group=group,
        split=item.split or split_of(project_id=project.id, group=group, sha256=item.sha256),
        split_pinned=item.split is not None,
    )


def _save(batch: _Batch, *, by: Principal) -> None:
    if batch.again:
        awaited = Image.objects.filter(id__in=[image.id for image in batch.again])
        awaited.update(status=Image.Status.AWAITING, error=None, job=None)
    for image in batch.corrected:
        image.save(update_fields=["filename", "content_type", "size", "multipart_id"])
    if batch.new or batch.corrected:
        quota = batch.quota
        Quota.objects.filter(id=quota.id).update(images_used=quota.images_used, bytes_used=quota.bytes_used)
    if not batch.new:
        return
    Image.objects.bulk_create(batch.new)
    ImageClass.objects.bulk_create(batch.shown)
    count, size = len(batch.new), sum(image.size for image in batch.new)
    Project.objects.filter(id=batch.project.id).update(image_count=F("image_count") + count)
    audit.record("images.registered", by=by, target=batch.project.id, count=count, bytes=size)


def as_json(result: Registered) -> dict[str, Any]:
    """One line of the answer to a registration."""
    line: dict[str, Any] = {"index": result.index, "filename": result.filename, "status": result.status}
    if result.image is not None:
        line |= {"image": str(result.image.id), "duplicate": result.duplicate}
    if result.error is not None:
        line["error"] = result.error
    return line
