"""Projects: one inspection problem each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from myriad.answers import Answer
from myriad.errors import NotFound, ValidationFailed
from myriad.listing import Listing
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Project(Answer):
    """`kind` is DETECTION, CLASSIFICATION or ANOMALY."""

    id: str
    name: str
    kind: str
    description: str = ""
    image_count: int = 0
    created_at: datetime | None = None


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
        if _is_id(id_or_name):
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


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
