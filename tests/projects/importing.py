"""What a client does to import an archive: announces it, sends it, has it checked, commits it."""

import json
from hashlib import sha256
from typing import Any

import httpx

from projects.models import Image, Import
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.uploading import post, send
from tests.projects.working import Hand

# A box of an image, with its class's name.
Drawn = tuple[str, float, float, float, float]


def announce(person: Person, project: str, data: bytes, **changes: Any) -> Any:
    """The answer to an announcement of these bytes."""
    said = {"filename": "parts.zip", "size": len(data), "sha256": sha256(data).hexdigest()} | changes
    return post(person, f"projects/{project}/imports", said)


def sent(person: Person, project: str, data: bytes) -> str:
    """Announces and sends; the import's id."""
    answer = announce(person, project, data)
    assert answer.status_code == 201, answer.content
    assert send(answer.json()["upload"], data).status_code == 204
    return str(answer.json()["id"])


def checked(person: Person, project: str, hand: Hand, data: bytes) -> dict[str, Any]:
    """Sends an archive and has it checked; the import as the API then shows it."""
    import_id = sent(person, project, data)
    answer = post(person, f"imports/{import_id}/check", {})
    assert answer.status_code == 202, answer.content
    hand.work()
    return shown(person, import_id)


def refused(person: Person, project: str, hand: Hand, data: bytes) -> str:
    """Sends an archive that its check refuses; the error's code."""
    row = checked(person, project, hand, data)
    assert (row["status"], row["report"]) == ("FAILED", None), row
    assert all(row["error"][name] for name in ("code", "message", "hint"))
    return str(row["error"]["code"])


def committed(person: Person, project: str, hand: Hand, data: bytes, unknown: str = "CREATE") -> dict[str, Any]:
    """Sends, checks and commits an archive; the import as the API then shows it."""
    row = checked(person, project, hand, data)
    assert row["status"] == "CHECKED", row["error"]
    answer = post(person, f"imports/{row['id']}/commit", {"unknown_classes": unknown})
    assert answer.status_code == 202, answer.content
    hand.work()
    return shown(person, row["id"])


def shown(person: Person, import_id: str) -> dict[str, Any]:
    answer = person.api.get(f"/api/v1/imports/{import_id}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def results(person: Person, import_id: str) -> dict[str, dict[str, Any]]:
    """The results, line by line, by the files' places in the archive."""
    answer = person.api.get(f"/api/v1/imports/{import_id}/results")
    assert answer.status_code == 302, answer.content
    lines = httpx.get(answer["Location"]).raise_for_status().text.splitlines()
    return {line["file"]: line for line in map(json.loads, lines)}


def problems(row: dict[str, Any]) -> dict[str, int]:
    """Kinds and counts of what the check found."""
    return {problem["kind"]: problem["count"] for problem in row["report"]["problems"]}


def references(row: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    """Where the check found problems of a kind."""
    (found,) = (problem for problem in row["report"]["problems"] if problem["kind"] == kind)
    return [(place["file"], place["where"]) for place in found["references"]]


def labels_of(person: Person, project: str) -> dict[str, list[Drawn] | None]:
    """READY images by name, each with its accepted boxes; None for one without an annotation."""
    with tenant_scope(person.tenant.id):
        rows = Image.objects.filter(project_id=project, status=Image.Status.READY, deleted_at=None)
        found: dict[str, list[Drawn] | None] = {}
        for image in rows.select_related("accepted"):
            boxes = image.accepted.boxes.select_related("defect_class").order_by("id") if image.accepted else None
            found[image.filename] = (
                None if boxes is None else [(b.defect_class.name, b.x, b.y, b.width, b.height) for b in boxes]
            )
        return found


def stored(person: Person, import_id: str) -> tuple[Import, Job | None]:
    """The import and its newest job, as they stand in the database."""
    with tenant_scope(person.tenant.id):
        row = Import.objects.select_related("job").get(id=import_id)
        return row, row.job
