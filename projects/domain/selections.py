"""Several images of one project at once, as people choose them in a gallery."""

import uuid
from collections import Counter
from collections.abc import Sequence

from django.db.models import Count, F, Sum
from django.utils import timezone

from projects.domain.queries import project_named
from projects.domain.statistics import count
from projects.models import Box, Image, Project
from tenants import audit
from tenants.domain.quotas import lock_quota, release
from tenants.permissions import Principal
from tenants.refusals import Invalid, NotFound

# Images a call.
MOST = 500


def delete_images(*, project_id: uuid.UUID, image_ids: Sequence[uuid.UUID], by: Principal) -> int:
    """Hides images as `delete_image` does one; how many. Raises NotFound, on the first that is not there, or Invalid.

    All or none. As many queries for 500 images as for one.
    """
    # In the order of registration and ingest: quota, project, image.
    lock_quota()
    project = project_named(project_id, lock=True)
    chosen = _chosen(project, image_ids)
    rows = Image.objects.filter(id__in=[image.id for image in chosen])
    size = rows.aggregate(total=Sum("size"))["total"] or 0
    _count_out(project, chosen)
    rows.update(deleted_at=timezone.now())
    Project.objects.filter(id=project.id).update(image_count=F("image_count") - len(chosen))
    release(images=len(chosen), bytes=size)
    audit.record("images.deleted", by=by, target=project.id, images=[str(image.id) for image in chosen])
    return len(chosen)


def pin_split(*, project_id: uuid.UUID, image_ids: Sequence[uuid.UUID], split: str, by: Principal) -> int:
    """Puts images into a split and keeps them there; how many. All or none. Raises NotFound or Invalid."""
    if split not in Image.Split.values:
        raise Invalid("split", f"There is no split {split[:20]!r}.", hint=f"Choose {', '.join(Image.Split.values)}.")
    project = project_named(project_id)
    chosen = _chosen(project, image_ids)
    Image.objects.filter(id__in=[image.id for image in chosen]).update(split=split, split_pinned=True)
    audit.record("images.pinned", by=by, target=project.id, split=split, images=[str(image.id) for image in chosen])
    return len(chosen)


def _chosen(project: Project, image_ids: Sequence[uuid.UUID]) -> list[Image]:
    """The images, locked in the order of their ids; one that is missing, foreign or deleted is not found."""
    wanted = set(image_ids)
    if not 1 <= len(wanted) <= MOST:
        raise Invalid("images", f"Choose 1 to {MOST} images.", hint="Click their check boxes.")
    rows = Image.objects.filter(id__in=wanted, project=project, deleted_at=None)
    found = list(rows.select_for_update(of=("self",)).order_by("id"))
    if len(found) < len(wanted):
        raise NotFound
    return found


def _count_out(project: Project, images: Sequence[Image]) -> None:
    """Takes them out of the counters of labelled images, and of each class's images and boxes."""
    accepted = [image.accepted_id for image in images if image.accepted_id]
    drawn = Box.objects.filter(annotation_id__in=accepted).values_list("annotation_id", "defect_class_id")
    by_image, boxes = Counter[uuid.UUID](), Counter[uuid.UUID]()
    for _, class_id, number in drawn.annotate(Count("id")):
        by_image[class_id] -= 1
        boxes[class_id] -= number
    count(project_id=project.id, labelled=-len(accepted), images=by_image, boxes=boxes)
