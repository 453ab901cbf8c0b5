"""What the classes of a label book look like: the newest photographs that show each."""

import uuid

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from projects.domain.queries import label_classes
from projects.models import DefectClass, Image, ImageClass, Project


def classes_with_examples(project: Project, *, each: int) -> tuple[list[DefectClass], dict[uuid.UUID, list[Image]]]:
    """The label book in its order, and of each class up to `each` READY images that show it, newest first.

    Two queries, however many classes there are.
    """
    shown = ImageClass.objects.filter(
        defect_class_id=OuterRef("id"), image__deleted_at=None, image__status=Image.Status.READY
    ).order_by("-image_id")
    book = label_classes(project).annotate(example_ids=ArraySubquery(shown.values("image_id")[:each]))
    wanted: dict[DefectClass, list[uuid.UUID]] = {label: label.example_ids for label in book}
    found = Image.objects.in_bulk({image_id for ids in wanted.values() for image_id in ids})
    return list(wanted), {label.id: [found[image_id] for image_id in ids] for label, ids in wanted.items()}
