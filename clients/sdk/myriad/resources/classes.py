"""The label book of a project: its defect classes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from myriad.answers import Answer
from myriad.listing import Listing
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class DefectClass(Answer):
    """One defect class; `definition` says in words what counts as one, `rule` how it is measured.

    The counts are of accepted annotations: images that show it, and boxes.
    """

    id: str
    name: str
    definition: str = ""
    rule: str = ""
    color: str = ""
    image_count: int = 0
    box_count: int = 0
    created_at: datetime | None = None


class Classes:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, project_id: str, name: str, *, definition: str = "", rule: str = "") -> DefectClass:
        body = {"name": name, "definition": definition, "rule": rule}
        reply = self._transport.post(path_of("projects", project_id, "classes"), body)
        return DefectClass.from_json(reply.document, reply.request_id)

    def list(self, project_id: str, *, page_size: int = 100) -> Listing[DefectClass]:
        path = path_of("projects", project_id, "classes")
        return Listing(self._transport, path, DefectClass, {"limit": page_size})

    def get(self, class_id: str) -> DefectClass:
        reply = self._transport.get(path_of("classes", class_id))
        return DefectClass.from_json(reply.document, reply.request_id)

    def update(
        self,
        class_id: str,
        *,
        name: str | None = None,
        definition: str | None = None,
        rule: str | None = None,
    ) -> DefectClass:
        """Change what is given, leave the rest."""
        given = {"name": name, "definition": definition, "rule": rule}
        body = {field: value for field, value in given.items() if value is not None}
        reply = self._transport.patch(path_of("classes", class_id), body)
        return DefectClass.from_json(reply.document, reply.request_id)

    def delete(self, class_id: str) -> None:
        self._transport.delete(path_of("classes", class_id))
