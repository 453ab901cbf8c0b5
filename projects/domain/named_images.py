"""Images as a batch names them: by id, or by a filename that only one READY image of the project has."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from projects.domain.boxes import NewAnnotation
from projects.domain.items import ItemRefused, shown
from projects.models import Image, Project

# What of an image decides on its annotation.
_READ = ("tenant_id", "project_id", "filename", "status", "width", "height", "accepted_id")


@dataclass(frozen=True)
class NamedImages:
    """The images of one project that a batch may mean."""

    by_id: dict[uuid.UUID, Image]
    by_name: dict[str, list[Image]]

    @classmethod
    def among(cls, project: Project, items: Sequence[NewAnnotation]) -> Self:
        """Two queries at most."""
        known = Image.objects.filter(project=project, deleted_at=None).only(*_READ)
        ids = {item.image for item in items if item.image is not None}
        names = {item.filename for item in items if item.image is None}
        by_name: dict[str, list[Image]] = defaultdict(list)
        for image in known.filter(filename__in=names) if names else ():
            by_name[image.filename].append(image)
        return cls({image.id: image for image in known.filter(id__in=ids)} if ids else {}, by_name)

    def image_of(self, item: NewAnnotation) -> Image:
        """The one that the item means; where it has an id, its filename is not read. Raises ItemRefused."""
        if item.image is not None:
            named = [self.by_id[item.image]] if item.image in self.by_id else []
        else:
            named = self.by_name.get(item.filename, [])
        ready = [image for image in named if image.status == Image.Status.READY]
        if len(ready) == 1:
            return ready[0]
        if not named:
            raise ItemRefused(
                "unknown_image",
                f"The project has no image {shown(item.filename if item.image is None else str(item.image))}.",
                "Upload it first; GET /api/v1/projects/{id}/images lists what is there.",
            )
        if ready:
            raise ItemRefused(
                "ambiguous_filename",
                f"{len(ready)} images of the project are named {shown(item.filename)}.",
                "Name the image by its id, as `image`.",
            )
        raise ItemRefused(
            "image_not_ready",
            f"{named[0].filename} is {named[0].status}.",
            "Finish its upload, and wait until it is READY; then annotate it.",
        )
