"""The bounded door for curl: one file as multipart/form-data, stored and handed to ingest."""

import json
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tenants.models import Job
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import File, photograph
from tests.projects.working import Hand, rows

MEBIBYTE = 1024 * 1024


def carry(person: Person, project: str, file: File | None, **fields: Any) -> Any:
    """What `curl -F file=@…` sends."""
    if file is not None:
        fields["file"] = SimpleUploadedFile(file.name, file.data, file.content_type)
    return person.api.post(f"/api/v1/projects/{project}/images", fields, format="multipart")


def test_file_is_stored_and_ingested(cast: Cast, project: str, hand: Hand) -> None:
    metadata = json.dumps({"camera": "3", "part": "A7"})

    answer = carry(cast.bob, project, photograph(), metadata=metadata, split="TEST", group="tray")

    body = answer.json()
    image = body["image"]
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{body['job']}"
    assert (image["status"], image["job"], image["filename"]) == ("ARRIVED", body["job"], "casing.jpg")
    assert (image["metadata"], image["split"], image["group"]) == ({"camera": "3", "part": "A7"}, "TEST", "tray")
    assert image["sha256"] == photograph().sha256
    assert hand.work() == ["SUCCEEDED"]
    assert rows(cast.alice, image["id"]) == [("READY", None)]


def test_file_that_is_there_answers_200_with_it(alice: Person, project: str, hand: Hand) -> None:
    first = carry(alice, project, photograph()).json()
    waiting = carry(alice, project, photograph())
    hand.work()
    ready = carry(alice, project, File("copy.jpg", photograph().data))

    assert (waiting.status_code, waiting.json()["job"]) == (202, first["job"])
    assert (ready.status_code, ready.json()["image"]["id"]) == (200, first["image"]["id"])
    assert ready.json()["image"]["filename"] == "casing.jpg"
    assert "Location" not in ready.headers
    with tenant_scope(alice.tenant.id):
        assert Job.objects.count() == 1


def test_more_than_twenty_megabytes_do_not_pass(alice: Person, project: str) -> None:
    at_most = File("most.jpg", bytes(20 * MEBIBYTE))
    for size in (20 * MEBIBYTE + 1, 21 * MEBIBYTE):
        answer = carry(alice, project, File("large.jpg", bytes(size)))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), size
        assert "/uploads" in answer.json()["hint"]
    assert alice.api.get(f"/api/v1/projects/{project}/images").json()["results"] == []

    assert carry(alice, project, at_most).status_code == 202


def test_what_is_no_form_with_a_file_is_refused(alice: Person, project: str) -> None:
    path, file = f"/api/v1/projects/{project}/images", photograph()
    refused = {
        "json": alice.api.post(path, {"file": "casing.jpg"}, format="json"),
        "raw": alice.api.post(path, file.data, content_type="image/jpeg"),
        "no file": carry(alice, project, None, metadata="{}"),
        "text for a file": alice.api.post(path, {"file": "casing.jpg"}, format="multipart"),
        "no boundary": alice.api.post(path, b"--x--", content_type="multipart/form-data"),
        "two files": alice.api.post(
            path, {name: SimpleUploadedFile(name, file.data) for name in ("file", "other")}, format="multipart"
        ),
        "metadata is no JSON": carry(alice, project, file, metadata="camera=3"),
        "metadata is deep": carry(alice, project, file, metadata="[" * 100_000),
        "metadata is a list": carry(alice, project, file, metadata="[1]"),
        "metadata is not a number": carry(alice, project, file, metadata='{"camera": NaN}'),
        "metadata is infinite": carry(alice, project, file, metadata='{"camera": 1e999}'),
        "metadata is nested": carry(alice, project, file, metadata='{"camera": {}}'),
        "split": carry(alice, project, file, split="test"),
        "empty": carry(alice, project, File("casing.jpg", b"")),
        "type": carry(alice, project, File("casing.gif", b"GIF89a", "image/gif")),
        "group": carry(alice, project, file, group="x" * 201),
    }

    assert {name: (answer.status_code, answer.json()["code"]) for name, answer in refused.items()} == {
        "json": (415, "unsupported_media_type"),
        "raw": (415, "unsupported_media_type"),
        "no file": (400, "validation_failed"),
        "text for a file": (400, "validation_failed"),
        "no boundary": (400, "validation_failed"),
        "two files": (400, "validation_failed"),
        "metadata is no JSON": (400, "validation_failed"),
        "metadata is deep": (400, "validation_failed"),
        "metadata is a list": (400, "bad_metadata"),
        "metadata is not a number": (400, "bad_metadata"),
        "metadata is infinite": (400, "bad_metadata"),
        "metadata is nested": (400, "bad_metadata"),
        "split": (400, "bad_split"),
        "empty": (400, "empty_file"),
        "type": (400, "unsupported_type"),
        "group": (400, "bad_group"),
    }
    assert all(answer.json()["hint"] for answer in refused.values())
    assert alice.api.get(path).json()["results"] == []


def test_quota_viewer_and_foreign_project(cast: Cast, project: str, limit: Callable[..., None]) -> None:
    limit(images_limit=0)
    full = carry(cast.alice, project, photograph())
    viewer = carry(cast.vera, project, photograph())
    foreign = carry(cast.alice, project_of(cast.charlie), photograph())

    assert (full.status_code, full.json()["code"]) == (403, "quota_exceeded")
    assert full.json()["detail"].startswith("casing.jpg: ")
    assert (viewer.status_code, viewer.json()["code"]) == (403, "permission_denied")
    assert foreign.status_code == 404


def test_names_and_types_as_operating_systems_send_them(alice: Person, project: str) -> None:
    """A path is no part of a name, and browsers know other names of the same types."""
    odd = carry(alice, project, File("..\\..\\камера 3/größe.PNG", photograph("odd", "PNG").data, "image/x-png"))

    shown = odd.json()["image"]
    assert odd.status_code == 202
    assert (shown["filename"], shown["content_type"]) == ("größe.PNG", "image/png")
