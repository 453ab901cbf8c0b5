"""Going from image to image within a list."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from projects.domain import queries
from projects.models import Image, Project
from tenants.refusals import Invalid, NotFound


@dataclass(frozen=True)
class Neighbors:
    """The images before and after one in a list, newest first; None at its ends."""

    previous: uuid.UUID | None
    next: uuid.UUID | None


def neighbors(image: Image, *, project: Project, filters: Mapping[str, str]) -> Neighbors:
    """The neighbors of an image among those of its project that match the filters of `queries.images_of`.

    The image itself need not match: one that was just labelled has left the list of unlabelled ones, and its labeler
    goes on where it stood. Filters that cannot be are as none.
    """
    try:
        rows = queries.images_of(project, filters=filters)
    except (Invalid, NotFound):
        rows = queries.images_of(project, filters={})
    # In one query: the nearest of either side.
    newer = rows.filter(id__gt=image.id).order_by("id").values_list("id", flat=True)[:1]
    older = rows.filter(id__lt=image.id).order_by("-id").values_list("id", flat=True)[:1]
    found = set(newer.union(older, all=True))
    return Neighbors(
        previous=next((one for one in found if one > image.id), None),
        next=next((one for one in found if one < image.id), None),
    )
