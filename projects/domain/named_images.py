"""Images as a batch names them: by id, or by a filename that only one READY image of the project has."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import Count, Min, Q, TextField
from django.db.models.functions import Cast

from projects.domain.boxes import NewAnnotation
from projects.domain.items import ItemRefused, shown
from projects.models import Image, Project

# What of an image decides on its annotation.
_READ = ("tenant_id", "project_id", "filename", "status", "width", "height", "accepted_id")


@dataclass(frozen=True)
class Namesakes:
    """The images of one filename: how many are READY, the id of one that is, and a status that one of them has."""

    ready: int
    one: uuid.UUID | None
    status: str


@dataclass(frozen=True)
class NamedImages:
    """The images of one project that a batch may mean."""

    by_id: dict[uuid.UUID, Image]
    by_name: dict[str, Namesakes]

    @classmethod
    def among(cls, project: Project, items: Sequence[NewAnnotation]) -> Self:
        """Two queries at most. A filename's images are counted first: a camera may name all of them alike."""
        names = {item.filename for item in items if item.image is None}
        by_name = _namesakes(project, names) if names else {}
        ids = {item.image for item in items if item.image is not None}
        ids |= {found.one for found in by_name.values() if found.one is not None and found.ready == 1}
        known = Image.objects.filter(project=project, deleted_at=None, id__in=ids).only(*_READ)
        return cls({image.id: image for image in known} if ids else {}, by_name)

    def image_of(self, item: NewAnnotation) -> Image:
        """The one that the item means; where it has an id, its filename is not read. Raises ItemRefused."""
        image = self._named(item.filename) if item.image is None else self.by_id.get(item.image)
        if image is None:
            raise ItemRefused(
                "unknown_image",
                f"The project has no image {shown(item.filename if item.image is None else str(item.image))}.",
                "Upload it first, or name one that is there (GET /api/v1/projects/{id}/images).",
            )
        if image.status != Image.Status.READY:
            raise _not_ready(image.filename, image.status)
        return image

    def _named(self, filename: str) -> Image | None:
        found = self.by_name.get(filename)
        if found is None:
            return None
        if found.one is None:
            raise _not_ready(filename, found.status)
        if found.ready > 1:
            raise ItemRefused(
                "ambiguous_filename",
                f"{found.ready} images of the project are named {shown(filename)}.",
                "Name the image by its id, as `image`.",
            )
        return self.by_id.get(found.one)


def _namesakes(project: Project, names: Collection[str]) -> dict[str, Namesakes]:
    ready = Q(status=Image.Status.READY)
    rows = Image.objects.filter(project=project, deleted_at=None, filename__in=names).values_list("filename")
    counted = rows.annotate(
        count=Count("id", filter=ready),
        one=Min(Cast("id", TextField()), filter=ready),  # as a text: not every PostgreSQL has a least uuid
        any_status=Min("status"),
    )
    return {name: Namesakes(count, uuid.UUID(one) if one else None, status) for name, count, one, status in counted}


def _not_ready(filename: str, status: str) -> ItemRefused:
    return ItemRefused(
        "image_not_ready",
        f"{filename} is {status}.",
        "Finish its upload, and wait until it is READY; then annotate it.",
    )
