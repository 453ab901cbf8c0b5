"""Images: changed, deleted, and where their bytes are."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from django.db.models import F
from django.utils import timezone

from projects.domain.items import ItemRefused, parse_metadata
from projects.domain.queries import image_named, project_named
from projects.domain.splits import group_of, split_of
from projects.domain.statistics import count_out
from projects.models import DefectClass, Image, ImageClass, Project
from tenants import audit
from tenants.domain.quotas import lock_quota, release
from tenants.permissions import Principal
from tenants.refusals import Expectation, Invalid, NotFound, Refusal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage


class NotReady(Refusal):
    code = "image_not_ready"
    title = "The image has no file yet"

    def __init__(self, status: str) -> None:
        super().__init__(f"The image is {status}.", hint="Finish its upload, and wait until it is READY.")


class Labelled(Refusal):
    code = "image_labelled"
    title = "The image is labelled"

    def __init__(self, filename: str) -> None:
        super().__init__(
            f"{filename} is annotated, and shows the classes of its boxes.",
            hint="Correct the boxes instead (POST /api/v1/projects/{id}/annotations).",
        )


def update_image(
    *,
    image_id: uuid.UUID,
    by: Principal,
    metadata: Mapping[str, Any] | None = None,
    split: str | None = None,
    classes: Sequence[uuid.UUID] | None = None,
    expect: Expectation | None = None,
) -> Image:
    """Changes what is given. A split given is pinned.

    An image whose metadata names another group now moves to that group, and unless it is pinned to its split.
    Raises NotFound (a class's id included), Invalid, Labelled, or what `expect` raises of the image.
    """
    image = image_named(image_id, lock=True)
    if expect is not None:
        expect(image_named(image_id))  # read again: who waits for the lock gets the row anew, but not its classes
    if metadata is None and split is None and classes is None:
        return image
    if metadata is not None:
        _describe(image, metadata)
    if split is not None:
        image.split, image.split_pinned = split, True
    image.save(update_fields=["metadata", "group", "split", "split_pinned"])
    if classes is not None:
        _show(image, classes)
    audit.record("image.updated", by=by, target=image.id)
    return image_named(image_id)


def delete_image(*, image_id: uuid.UUID, by: Principal, expect: Expectation | None = None) -> None:
    """Hides an image; an erase job removes it after 30 days. Raises NotFound, or what `expect` raises of the image."""
    # In the order of registration and ingest: quota, project, image.
    lock_quota()
    image = image_named(image_id)
    project_named(image.project_id, lock=True)
    image = image_named(image_id, lock=expect is not None)  # as it is now, annotated by whoever held the lock
    if expect is not None:
        expect(image_named(image_id))
    if not Image.objects.filter(id=image.id, deleted_at=None).update(deleted_at=timezone.now()):
        raise NotFound
    Project.objects.filter(id=image.project_id).update(image_count=F("image_count") - 1)
    count_out(image)
    release(images=1, bytes=image.size)
    audit.record("image.deleted", by=by, target=image.id, filename=image.filename)


def file_address(*, image_id: uuid.UUID, which: Literal["image", "thumbnail"], by: Principal) -> str:
    """A short-lived address of the image's file. Opens the scope itself. Raises NotFound or NotReady."""
    with tenant_scope(by.tenant_id):
        image = image_named(image_id)
    return address_of(image, which=which, by=by)


def address_of(image: Image, *, which: Literal["image", "thumbnail"], by: Principal) -> str:
    """The same of an image that was read already; no scope is open. Raises NotReady.

    Signed for the tenant of who asks, not of the row: were it another's, the address would lead nowhere.
    """
    if image.status != Image.Status.READY:
        raise NotReady(image.status)
    storage = TenantStorage(by.tenant_id)
    if which == "thumbnail":
        return storage.presign_download(thumbnail_key(image.thumbnail_sha256), content_type="image/webp")
    return storage.presign_download(image_key(image.stored_sha256), content_type=image.stored_type)


def thumbnail_addresses(images: Iterable[Image], *, by: Principal) -> dict[uuid.UUID, str]:
    """Image → short-lived address of its thumbnail, of those that have one, for who asks; no scope is open."""
    ready = [image for image in images if image.status == Image.Status.READY]
    if not ready:
        return {}
    storage = TenantStorage(by.tenant_id)
    return {
        image.id: storage.presign_download(thumbnail_key(image.thumbnail_sha256), content_type="image/webp")
        for image in ready
    }


def image_key(sha256: str) -> str:
    return f"images/{sha256}"


def thumbnail_key(sha256: str) -> str:
    return f"thumbnails/{sha256}"


def _describe(image: Image, metadata: Mapping[str, Any]) -> None:
    try:
        described = parse_metadata(image.filename, metadata)
    except ItemRefused as refused:
        raise Invalid("metadata", refused.error["message"], hint=refused.error["hint"]) from refused
    # A group given by name at the registration is not the metadata's to change.
    if image.group == group_of(group="", metadata=image.metadata):
        image.group = group_of(group="", metadata=described)
        if not image.split_pinned:
            image.split = split_of(project_id=image.project_id, group=image.group, sha256=image.sha256)
    image.metadata = described


def _show(image: Image, class_ids: Sequence[uuid.UUID]) -> None:
    wanted = list(dict.fromkeys(class_ids))
    known = DefectClass.objects.filter(id__in=wanted, project_id=image.project_id, deleted_at=None)
    if known.count() < len(wanted):
        raise NotFound
    if image.accepted_id is not None:
        _refuse_others(image, wanted)
        return
    ImageClass.objects.filter(image=image).delete()
    ImageClass.objects.bulk_create([ImageClass(image=image, defect_class_id=class_id) for class_id in wanted])


def _refuse_others(image: Image, wanted: Sequence[uuid.UUID]) -> None:
    """An annotation says which classes a labelled image shows; whoever names the same ones may."""
    shown = ImageClass.objects.filter(image=image).values_list("defect_class_id", flat=True)
    if set(shown) != set(wanted):
        raise Labelled(image.filename)
