"""Writing new versions of annotations: in as many statements for a thousand images as for one."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from projects.domain.statistics import count
from projects.models import Annotation, Box, Image, ImageClass, Project
from tenants import audit
from tenants.permissions import Principal

# A box as it is stored: class, x, y, width, height.
Drawn = tuple[uuid.UUID, float, float, float, float]


@dataclass(frozen=True)
class Version:
    """A new annotation (unsaved) with its boxes, and the boxes of the one that its image has accepted so far."""

    image: Image
    annotation: Annotation
    drawn: list[Drawn]
    before: list[Drawn]


def write_versions(*, project: Project, versions: Sequence[Version], by: Principal) -> None:
    """Saves them, each the accepted one of its image, with the classes that the images show and the counters.

    The caller holds the project's lock, and gives no image twice.
    """
    if not versions:
        return
    images = [version.image.id for version in versions]
    # After the project, so that nobody who changes an image in its own right sees half of this.
    list(Image.objects.select_for_update().filter(id__in=images).order_by("id").values_list("id"))
    Annotation.objects.bulk_create([version.annotation for version in versions])
    Box.objects.bulk_create(
        Box(annotation_id=version.annotation.id, defect_class_id=label, x=x, y=y, width=width, height=height)
        for version in versions
        for label, x, y, width, height in version.drawn
    )
    newest = Annotation.objects.filter(image_id=OuterRef("id")).order_by("-number").values("id")[:1]
    Image.objects.filter(id__in=images).update(accepted=Subquery(newest))
    _show(versions)
    _count(project, versions)
    audit.record("images.annotated", by=by, target=project.id, count=len(images))


def _show(versions: Sequence[Version]) -> None:
    """Makes the classes that the images show those of their boxes, in the order of the first of each."""
    wanted = {version.image.id: dict.fromkeys(class_id for class_id, *_ in version.drawn) for version in versions}
    stale = []
    rows = ImageClass.objects.filter(image_id__in=wanted).values_list("id", "image_id", "defect_class_id")
    for row_id, image_id, class_id in rows:
        if class_id in wanted[image_id]:
            del wanted[image_id][class_id]
        else:
            stale.append(row_id)
    if stale:
        ImageClass.objects.filter(id__in=stale).delete()
    ImageClass.objects.bulk_create(
        ImageClass(image_id=image_id, defect_class_id=class_id) for image_id, new in wanted.items() for class_id in new
    )


def _count(project: Project, versions: Sequence[Version]) -> None:
    images, boxes = Counter[uuid.UUID](), Counter[uuid.UUID]()
    for version in versions:
        now = Counter(class_id for class_id, *_ in version.drawn)
        before = Counter(class_id for class_id, *_ in version.before)
        images.update(now.keys())
        images.subtract(before.keys())
        boxes.update(now)
        boxes.subtract(before)
    labelled = sum(version.image.accepted_id is None for version in versions)
    count(project_id=project.id, labelled=labelled, images=images, boxes=boxes)
