"""Exports and imports as the SDK has them: asked for, waited for, sent, resumed, fetched."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from myriad import Client, NotDone, NotFound, Unavailable, ValidationFailed
from tests.clients.sdk.fake_service import FakeService


@pytest.fixture
def snapshot(service: FakeService, project: str) -> str:
    return service.tenant.add_snapshot(project)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "parts.zip"
    path.write_bytes(b"PK" + b"archive" * 100_000)
    return path


def test_export_is_made_waited_for_and_saved(
    service: FakeService, client: Client, snapshot: str, tmp_path: Path
) -> None:
    asked = client.exports.create(snapshot, format="yolo")
    assert (asked.status, asked.format, asked.size) == ("BUILDING", "YOLO", 0)
    states: list[str] = []
    ready = client.exports.wait(asked, on_progress=lambda job: states.append(job.state))
    come: list[int] = []
    path = client.exports.save(ready, tmp_path / "deep" / "parts.zip", on_bytes=come.append)

    assert states == ["PENDING", "SUCCEEDED"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ready.sha256
    assert (come[-1], sorted(come)) == (ready.size, come)
    assert client.exports.create(snapshot, format="YOLO") == ready
    assert [export.id for export in client.exports.list(snapshot)] == [ready.id]
    assert client.exports.wait(ready) == ready


def test_export_that_failed_says_why(service: FakeService, client: Client, snapshot: str, tmp_path: Path) -> None:
    asked = client.exports.create(snapshot, format="voc")
    error = {"code": "nothing_left", "message": "Every image was deleted.", "hint": "Make another snapshot."}
    service.tenant.jobs[asked.job or ""] |= {"state": "FAILED", "error": error}
    failed = client.exports.wait(asked)

    assert failed.status == "FAILED"
    with pytest.raises(NotDone, match="Every image was deleted") as caught:
        client.exports.save(failed, tmp_path / "parts.zip")
    assert (caught.value.code, caught.value.hint) == ("nothing_left", "Make another snapshot.")


def test_export_that_comes_damaged_is_not_kept(
    service: FakeService, client: Client, snapshot: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = client.exports.wait(client.exports.create(snapshot, format="coco"))
    monkeypatch.setattr(service.tenant, "_archive", lambda export: b"another")
    with pytest.raises(Unavailable, match="SHA-256 differs"):
        client.exports.save(ready, tmp_path / "parts.zip")
    assert list(tmp_path.iterdir()) == []


def test_import_is_sent_checked_and_committed(
    service: FakeService, client: Client, project: str, archive: Path
) -> None:
    gone: list[int] = []
    sent = client.imports.create(project, archive, on_bytes=gone.append)
    checked = client.imports.wait(client.imports.check(sent.id))
    done = client.imports.wait(client.imports.commit(sent.id, create_classes=True))

    assert service.tenant.storage.objects[f"import-{sent.id}"] == archive.read_bytes()
    assert gone[-1] == archive.stat().st_size
    assert checked.report is not None
    assert (checked.report.format, checked.report.boxes, checked.report.problems[0].count) == ("YOLO", 7, 4)
    assert [(label.name, label.known) for label in checked.report.classes] == [("dent", False), ("scratch", True)]
    assert service.tenant.imports[sent.id]["unknown_classes"] == "CREATE"
    assert done.result is not None
    assert (done.status, done.result.images, done.result.classes) == ("DONE", {"CREATED": 1, "UNCHANGED": 1}, ("dent",))
    assert [(file.file, file.outcome) for file in client.imports.results(sent.id)] == [
        ("images/a.jpg", "CREATED"),
        ("images/b.jpg", "UNCHANGED"),
    ]
    client.imports.delete(sent.id)
    with pytest.raises(NotFound):
        client.imports.get(sent.id)


@pytest.mark.parametrize(
    ("status", "again"), [("CHECKED", True), ("COMMITTING", True), ("AWAITING", False), ("DONE", False)]
)
def test_what_was_sent_and_is_not_done_is_not_sent_again(
    service: FakeService, client: Client, project: str, archive: Path, *, status: str, again: bool
) -> None:
    first = client.imports.create(project, archive)
    service.tenant.imports[first.id]["status"] = status
    second = client.imports.create(project, archive)

    assert (second.id == first.id) is again
    assert len(service.requests("POST", "/s3/bucket")) == (1 if again else 2)


def test_form_that_expired_is_asked_for_again(
    service: FakeService, client: Client, project: str, archive: Path
) -> None:
    refusal = b"<Error><Code>AccessDenied</Code><Message>Policy expired.</Message></Error>"
    service.fail("POST", "/s3/bucket", 403, refusal)
    sent = client.imports.create(project, archive)
    assert f"import-{sent.id}" in service.tenant.storage.objects

    service.fail("POST", "/s3/bucket", 403, refusal, times=9)
    archive.write_bytes(b"PKother")
    with pytest.raises(Unavailable, match="none of the forms") as caught:
        client.imports.create(project, archive)
    assert "clock" in caught.value.hint


def test_what_is_no_file_is_told_before_anything_is_asked(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    for path in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(ValidationFailed):
            client.imports.create(project, path)
    assert service.requests("POST", ".*") == []


def test_results_that_are_no_lines_are_refused(
    service: FakeService, client: Client, project: str, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[Any] = ["no object"]
    monkeypatch.setattr(service.tenant, "lines", lines)
    sent = client.imports.create(project, archive)
    with pytest.raises(Exception, match="answer"):
        client.imports.results(sent.id)
