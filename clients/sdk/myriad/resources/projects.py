"""Projects: one inspection problem each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from myriad.answers import Answer
from myriad.errors import NotFound, ValidationFailed
from myriad.listing import Listing
from myriad.resources.models import Promotion
from myriad.resources.predictions import Picture, Prediction, is_id, predict
from myriad.resources.snapshots import CountedClass
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Project(Answer):
    """`kind` is DETECTION, CLASSIFICATION or ANOMALY."""

    id: str
    name: str
    kind: str
    description: str = ""
    image_count: int = 0
    labelled_count: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Statistics(Answer):
    """What a project has: `images` counts them by status and split, `classes` images and boxes of each class."""

    images: Mapping[str, Any] = field(default_factory=dict)
    labelled: int = 0
    unlabelled: int = 0
    classes: tuple[CountedClass, ...] = ()


class Projects:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, kind: str, description: str = "") -> Project:
        """Make a project; `kind` in any case."""
        body = {"name": name, "kind": kind.upper(), "description": description}
        reply = self._transport.post(path_of("projects"), body)
        return Project.from_json(reply.document, reply.request_id)

    def list(self, *, page_size: int = 100) -> Listing[Project]:
        return Listing(self._transport, path_of("projects"), Project, {"limit": page_size})

    def get(self, project_id: str) -> Project:
        reply = self._transport.get(path_of("projects", project_id))
        return Project.from_json(reply.document, reply.request_id)

    def find(self, id_or_name: str) -> Project:
        """Give the project with this id or, failing that, with exactly this name.

        Raises `NotFound` if there is none and `ValidationFailed` if several have the name.
        """
        if is_id(id_or_name):
            return self.get(id_or_name)
        named = [project for project in self.list(page_size=500) if project.name == id_or_name]
        if not named:
            raise NotFound(
                f"There is no project named {id_or_name!r}.",
                hint="`myriad project list` shows those there are.",
            )
        if len(named) > 1:
            raise ValidationFailed(
                f"{len(named)} projects are named {id_or_name!r}.",
                code="ambiguous_name",
                hint="Give the id: " + ", ".join(project.id for project in named) + ".",
            )
        return named[0]

    def update(self, project_id: str, *, name: str | None = None, description: str | None = None) -> Project:
        """Change what is given, leave the rest."""
        given = {"name": name, "description": description}
        body = {field: value for field, value in given.items() if value is not None}
        reply = self._transport.patch(path_of("projects", project_id), body)
        return Project.from_json(reply.document, reply.request_id)

    def delete(self, project_id: str) -> None:
        self._transport.delete(path_of("projects", project_id))

    def statistics(self, project_id: str) -> Statistics:
        """Count images and boxes, by class and split."""
        reply = self._transport.get(path_of("projects", project_id, "statistics"))
        return Statistics.from_json(reply.document, reply.request_id)

    def predict(self, project_id: str, picture: Picture, *, threshold: float | None = None) -> Prediction:
        """Tell what the project's promoted model finds in a picture: a file's path, its bytes, or an image's id."""
        return predict(self._transport, path_of("projects", project_id, "predict"), picture, threshold)

    def promotions(self, project_id: str, *, page_size: int = 100) -> Listing[Promotion]:
        """Give what was promoted in the project, newest first: the first is what answers."""
        path = path_of("projects", project_id, "promotions")
        return Listing(self._transport, path, Promotion, {"limit": page_size})
