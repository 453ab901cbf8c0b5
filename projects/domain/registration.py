"""Registering images: rows first, bytes later. Repeating it is how an upload resumes."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from projects.domain.items import ItemRefused, NewImage, parse_item
from projects.domain.queries import project_named
from projects.domain.splits import group_of, split_of
from projects.models import DefectClass, Image, ImageClass, Project
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
    new: list[Image] = field(default_factory=list)
    shown: list[ImageClass] = field(default_factory=list)


def register_images(*, project_id: uuid.UUID, items: Sequence[object], by: Principal) -> list[Registered]:
    """Makes a row for each new file, within the quota; answers item by item, in order. Runs in the tenant's scope.

    A file that is there already answers with its image (`duplicate`); one whose ingest failed or ended is
    made ready to be sent again. Raises NotFound when the project is missing.
    """
    project = project_named(project_id)
    results, readable = _read(items)
    # The quota's lock comes first: it makes the tenant's registrations take turns, so a hash is looked up and
    # registered without another request in between.
    quota = lock_quota()
    batch = _Batch(
        project=project,
        quota=quota,
        known=_known(project, (item.sha256 for _, item in readable)),
        classes=_label_book(project) if any(item.classes for _, item in readable) else {},
    )
    for result, item in readable:
        _place(result, item, batch)
    if batch.new:
        _save(batch, by=by)
    return results


def _read(items: Sequence[object]) -> tuple[list[Registered], list[tuple[Registered, NewImage]]]:
    results, readable = [], []
    for index, given in enumerate(items):
        name = given.get("filename") if isinstance(given, dict) else None
        result = Registered(index=index, filename=name if isinstance(name, str) else "", status=REJECTED)
        results.append(result)
        try:
            readable.append((result, parse_item(given)))
        except ItemRefused as refused:
            result.error = refused.error
    return results, readable


def _known(project: Project, hashes: Iterable[str]) -> dict[str, Image]:
    found = Image.objects.filter(project=project, deleted_at=None, sha256__in=list(hashes)).select_related("job")
    return {image.sha256: image for image in found}


def _label_book(project: Project) -> dict[str, uuid.UUID]:
    rows = DefectClass.objects.filter(project=project, deleted_at=None).values_list("id", "name")
    return {key: class_id for class_id, name in rows for key in (str(class_id), name)}


def _place(result: Registered, item: NewImage, batch: _Batch) -> None:
    known = batch.known.get(item.sha256)
    if known is not None:
        if _may_be_sent_again(known):
            Image.objects.filter(id=known.id).update(status=Image.Status.AWAITING, error=None)
            known.status = Image.Status.AWAITING
        result.image, result.status = known, known.status
        result.duplicate = known.status != Image.Status.AWAITING or known in batch.new
        return
    unknown = [name for name in item.classes if name not in batch.classes]
    if unknown:
        result.error = {
            "code": "unknown_class",
            "message": f"{item.filename}: the label book has no class {unknown[0]!r}.",
            "hint": "Create the class first, or correct its name.",
        }
        return
    over = _over_quota(batch, item)
    if over:
        result.error = over
        return
    image = _image(item, batch.project)
    batch.quota.images_used += 1
    batch.quota.bytes_used += item.size
    batch.known[item.sha256] = image
    batch.new.append(image)
    batch.shown += [ImageClass(image_id=image.id, defect_class_id=batch.classes[name]) for name in item.classes]
    result.image, result.status = image, image.status


def _may_be_sent_again(image: Image) -> bool:
    """Its ingest refused it, or ended (canceled, or given up) without reaching it."""
    ended = image.job is not None and image.job.state not in Job.ACTIVE
    return image.status == Image.Status.FAILED or (image.status == Image.Status.ARRIVED and ended)


def _over_quota(batch: _Batch, item: NewImage) -> dict[str, str] | None:
    quota = batch.quota
    if quota.images_used + 1 > quota.images_limit:
        what = f"{quota.images_limit} images"
    elif quota.bytes_used + item.size > quota.bytes_limit:
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
    Image.objects.bulk_create(batch.new)
    ImageClass.objects.bulk_create(batch.shown)
    count, size = len(batch.new), sum(image.size for image in batch.new)
    Quota.objects.filter(id=batch.quota.id).update(
        images_used=batch.quota.images_used, bytes_used=batch.quota.bytes_used
    )
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
