"""Commits that are broken off at any line: run again they end as if they had not been."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from projects.domain import import_commits, imports, ingest
from projects.domain.sweeping import sweep_tenant
from projects.models import DefectClass, Image, ImportChunk, Project
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.crashing import Killed, Line, break_once
from tests.projects.archives.zips import coco_zip, photo
from tests.projects.files import File
from tests.projects.importing import checked, labels_of, results, sent, shown, stored
from tests.projects.uploading import bring, post, usage
from tests.projects.working import Hand, expire, hasten
from workers.domain import leases

BOX = ("dent", 1.5, 2.0, 10.25, 12.0)
# Two images a chunk: what is there already and a new one, a broken file and a copy, a good one.
ARCHIVE = coco_zip(
    {"a-there.png": [BOX], "b.png": [("scratch", 1, 1, 5, 5), BOX], "e-good.png": []},
    more={"images/c-broken.png": photo("c")[:-40], "images/d-copy.png": photo("b.png")},
)
LABELS = {"a-there.png": [BOX], "b.png": [("scratch", 1, 1, 5, 5), BOX], "e-good.png": []}
OUTCOMES = {
    "a-there.png": "UPDATED",
    "b.png": "CREATED",
    "c-broken.png": "REJECTED",
    "d-copy.png": "DUPLICATE",
    "e-good.png": "CREATED",
}

LINES = [
    Line(TenantStorage, "download"),
    Line(import_commits, "create_class", after=True),
    Line(import_commits, "registered_lines", after=True),
    Line(import_commits, "take_in"),
    Line(ingest, "_publish", after=True),
    Line(import_commits, "label_chunk", after=True),
    Line(import_commits, "_finish"),
    Line(import_commits, "_finish", after=True),
]


@dataclass(frozen=True)
class Commit:
    """An import whose commit waits for a hand."""

    owner: Person
    project: str
    import_id: str
    hand: Hand


@pytest.fixture
def ready(alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> Commit:
    """A checked import whose commit waits."""
    monkeypatch.setattr(import_commits, "CHUNK", 2)
    bring(alice, project, File("a-there.png", photo("a-there.png"), "image/png"))
    hand.work()
    row = checked(alice, project, hand, ARCHIVE)
    assert row["status"] == "CHECKED", row["error"]
    import_id: str = row["id"]
    assert post(alice, f"imports/{import_id}/commit", {"unknown_classes": "CREATE"}).status_code == 202
    return Commit(alice, project, import_id, hand)


def assert_whole(commit: Commit) -> None:
    """The one end, however it was come to."""
    alice, project, import_id = commit.owner, commit.project, commit.import_id
    row = shown(alice, import_id)
    assert (row["status"], row["error"]) == ("DONE", None)
    counted = {"CREATED": 2, "DUPLICATE": 1, "REJECTED": 1, "UPDATED": 1}
    told = {"images": counted, "labelled": 3, "boxes": 3, "errors": 1, "classes": ["dent", "scratch"]}
    assert row["result"] == told
    lines = results(alice, import_id)
    assert {name.removeprefix("images/"): line["outcome"] for name, line in lines.items()} == OUTCOMES
    assert labels_of(alice, project) == LABELS
    with tenant_scope(alice.tenant.id):
        found = Project.objects.get(id=project)
        assert (found.image_count, found.labelled_count) == (3, 3)
        counts = {label.name: (label.image_count, label.box_count) for label in DefectClass.objects.all()}
        assert counts == {"dent": (2, 2), "scratch": (1, 1)}
        assert not ImportChunk.objects.exists()
        assert all(image.annotations.count() == 1 for image in Image.objects.filter(deleted_at=None))
    assert usage(alice)["images"] == 3


def test_unbroken(ready: Commit) -> None:
    assert ready.hand.work() == ["SUCCEEDED"]
    assert_whole(ready)


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_killed_commit_is_taken_over(ready: Commit, monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    alice, hand = ready.owner, ready.hand
    break_once(monkeypatch, line, Killed())
    with pytest.raises(Killed):
        hand.work()
    _, job = stored(alice, ready.import_id)
    assert job is not None
    assert job.state == "RUNNING"
    expire(alice, job.id)
    assert hand.work() == ["SUCCEEDED"]
    assert_whole(ready)


@pytest.mark.parametrize("line", [Line(import_commits, "take_in"), Line(ingest, "_publish", after=True)], ids=str)
def test_a_commit_that_was_given_up_is_asked_for_again(
    ready: Commit, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    """In another job, after the sweep has looked at what the first one left."""
    alice, hand = ready.owner, ready.hand
    with tenant_scope(alice.tenant.id):
        Job.objects.filter(kind="import_commit").update(max_attempts=1)
    break_once(monkeypatch, line, StorageUnavailable("S3 is away"))
    assert hand.work() == ["FAILED"]
    row = shown(alice, ready.import_id)
    assert (row["status"], row["error"]["code"]) == ("FAILED", "job_crashed")
    sweep_tenant(tenant_id=alice.tenant.id)
    assert post(alice, f"imports/{ready.import_id}/commit", {"unknown_classes": "CREATE"}).status_code == 202
    assert hand.work() == ["SUCCEEDED"]
    assert_whole(ready)


def test_a_correction_made_between_two_attempts_stays(ready: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a chunk that is done has drawn is not drawn again over what somebody drew since."""
    alice, project, hand = ready.owner, ready.project, ready.hand
    break_once(monkeypatch, Line(import_commits, "_finish"), StorageUnavailable("S3 is away"))
    assert hand.work() == ["PENDING"]
    with tenant_scope(alice.tenant.id):
        image = str(Image.objects.get(filename="b.png", deleted_at=None).id)
    boxes = [{"class": "dent", "bbox": [20, 20, 5, 5]}]
    answer = post(alice, f"projects/{project}/annotations", {"annotations": [{"image": image, "boxes": boxes}]})
    assert answer.json()["results"][0]["status"] == "CREATED"
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]
    assert labels_of(alice, project)["b.png"] == [("dent", 20.0, 20.0, 5.0, 5.0)]


def test_a_check_broken_off_is_repeated(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_once(monkeypatch, Line(TenantStorage, "download", after=True), StorageUnavailable("S3 is away"))
    row = checked(alice, project, hand, ARCHIVE)
    assert row["status"] == "CHECKING"
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]
    assert shown(alice, row["id"])["status"] == "CHECKED"


def test_a_check_killed_after_it_failed_fails_for_the_same_reason(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = sent(alice, project, b"this is no zip")
    assert post(alice, f"imports/{import_id}/check", {}).status_code == 202
    break_once(monkeypatch, Line(leases, "fail"), Killed())
    with pytest.raises(Killed):
        hand.work()
    row, job = stored(alice, import_id)
    assert job is not None
    assert (row.status, job.state) == ("FAILED", "RUNNING")
    expire(alice, job.id)
    assert hand.work() == ["FAILED"]
    row, job = stored(alice, import_id)
    assert job is not None
    assert row.error == job.error
    assert (row.error or {})["code"] == "not_a_zip"


def test_imports_nobody_committed_are_swept(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = checked(alice, project, hand, ARCHIVE)
    sweep: Any = partial(sweep_tenant, tenant_id=alice.tenant.id)
    assert sweep().imports == 0
    with tenant_scope(alice.tenant.id):
        stale, _ = stored(alice, row["id"])
        type(stale).objects.update(created_at="2020-01-01T00:00:00Z")
    assert sweep().imports == 1
    assert alice.api.get(f"/api/v1/imports/{row['id']}").status_code == 404
    assert storage.sizes("incoming", names=[f"import-{row['id']}"]) == {}
    assert imports.sweep_imports(tenant_id=alice.tenant.id, before=stale.created_at) == 0
