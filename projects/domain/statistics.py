"""What a project holds, counted. The counters are kept by differences, under the project's lock."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Case, Count, F, Value, When
from django.db.models.expressions import Combinable

from projects.domain.queries import project_named
from projects.models import Box, DefectClass, Image, Project


@dataclass(frozen=True)
class ImageCounts:
    """Images by status and by split."""

    by_status: dict[str, int]
    by_split: dict[str, int]
    labelled_by_split: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def labelled(self) -> int:
        return sum(self.labelled_by_split.values())

    @property
    def unlabelled(self) -> int:
        """What could be labelled, and is not."""
        return self.by_status[Image.Status.READY] - self.labelled


@dataclass(frozen=True)
class Statistics(ImageCounts):
    """And the label book with its counters."""

    classes: list[DefectClass]


def project_statistics(*, project_id: uuid.UUID) -> Statistics:
    """Raises NotFound."""
    project = project_named(project_id)
    classes = list(DefectClass.objects.filter(project=project, deleted_at=None).order_by("id"))
    return Statistics(**vars(image_counts(project)), classes=classes)


def image_counts(project: Project) -> ImageCounts:
    """Counted from the images, in one query."""
    images = Image.objects.filter(project=project, deleted_at=None).values_list("status", "split")
    by_status, by_split, labelled = (Counter[str]() for _ in range(3))
    for status, split, number, with_annotation in images.annotate(Count("id"), Count("accepted_id")):
        by_status[status] += number
        by_split[split] += number
        labelled[split] += with_annotation
    return ImageCounts(
        by_status={status: by_status[status] for status in Image.Status.values},
        by_split={split: by_split[split] for split in Image.Split.values},
        labelled_by_split={split: labelled[split] for split in Image.Split.values},
    )


def count(
    *, project_id: uuid.UUID, labelled: int, images: Mapping[uuid.UUID, int], boxes: Mapping[uuid.UUID, int]
) -> None:
    """Adds differences to the counters: labelled images of the project, images and boxes of each class.

    The caller holds the project's lock.
    """
    changed = sorted({class_id for by_class in (images, boxes) for class_id, more in by_class.items() if more})
    if changed:
        DefectClass.objects.filter(project_id=project_id, id__in=changed).update(
            image_count=F("image_count") + _by_class(images), box_count=F("box_count") + _by_class(boxes)
        )
    if labelled:
        Project.objects.filter(id=project_id).update(labelled_count=F("labelled_count") + labelled)


def count_out(image: Image) -> None:
    """Takes an image, which is being deleted, out of the counters. The caller holds the project's lock."""
    if image.accepted_id is None:
        return
    drawn = Box.objects.filter(annotation_id=image.accepted_id).values_list("defect_class_id")
    boxes = dict(drawn.annotate(Count("id")))
    count(
        project_id=image.project_id,
        labelled=-1,
        images=dict.fromkeys(boxes, -1),
        boxes={class_id: -number for class_id, number in boxes.items()},
    )


def _by_class(amounts: Mapping[uuid.UUID, int]) -> Combinable:
    return Case(*(When(id=class_id, then=Value(more)) for class_id, more in amounts.items()), default=Value(0))
