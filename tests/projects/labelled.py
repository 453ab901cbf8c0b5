"""Labelled images without their bytes, and snapshots of them."""

import itertools
from typing import Any

from projects.models import Image, Snapshot
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects import labelling
from tests.projects.labelling import annotated, box, said
from tests.projects.uploading import post

# Class, x, y, width, height.
Drawn = tuple[str, float, float, float, float]
# Of images, so that no two have the same bytes.
_numbers = itertools.count(100_000)


def ready(person: Person, project: str, filename: str, *, split: str = "TRAIN", **described: Any) -> str:
    """A READY image of 640 × 480 pixels that nobody has labelled; its id."""
    given = {"filename": filename, "split": split} | described
    return labelling.ready(person, project, next(_numbers), width=640, height=480, **given)[0]


def label(person: Person, image: str, *boxes: Drawn) -> str:
    """Another version of what is said of an image, accepted at once; its id. Classes by name or id."""
    with tenant_scope(person.tenant.id):
        project = str(Image.objects.get(id=image).project_id)
    (line,) = annotated(person, project, said(image, *(box(name, *bbox) for name, *bbox in boxes)))
    assert line["status"] == "CREATED", line
    return str(line["annotation"])


def labelled(person: Person, project: str, filename: str, *boxes: Drawn, **described: Any) -> str:
    """A READY image with its first annotation; its id."""
    image = ready(person, project, filename, **described)
    label(person, image, *boxes)
    return image


def snapshot_of(person: Person, project: str, note: str = "") -> dict[str, Any]:
    """Asks for a snapshot; how it looks then."""
    answer = post(person, f"projects/{project}/snapshots", {"note": note})
    assert answer.status_code == 202, answer.content
    made: dict[str, Any] = answer.json()
    return made


def shown(person: Person, snapshot: dict[str, Any]) -> dict[str, Any]:
    """How it looks now."""
    answer = person.api.get(f"/api/v1/snapshots/{snapshot['id']}")
    assert answer.status_code == 200, answer.content
    now: dict[str, Any] = answer.json()
    return now


def snapshot_row(person: Person, snapshot: dict[str, Any]) -> Snapshot:
    """As it stands in the database."""
    with tenant_scope(person.tenant.id):
        return Snapshot.objects.select_related("job").get(id=snapshot["id"])
