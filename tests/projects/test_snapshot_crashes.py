"""Snapshots whose job is broken off at any line: READY and whole once, or FAILED and empty."""

from typing import Any

import pytest

from projects.domain import freezing
from projects.domain.manifests import load_manifest, manifest_key
from projects.models import Snapshot
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.projects.labelled import labelled, shown, snapshot_of, snapshot_row
from tests.projects.labelling import book
from tests.projects.test_ingest_crashes import Killed, Line, fails_once
from tests.projects.working import Hand, expire, hasten, jobs_of
from workers.domain import execution

__all__ = ["fails_once"]  # the fixture

LINES = [
    Line(freezing, "_read"),
    Line(freezing, "_read", after=True),
    Line(freezing, "_put"),
    Line(freezing, "_put", after=True),
    Line(freezing, "_store", after=True),
    Line(freezing, "_publish"),
    Line(freezing, "_publish", after=True),
]
EVERY_LINE = pytest.mark.parametrize("line", LINES, ids=lambda line: line.name + " after" * line.after)


@pytest.fixture
def asked(alice: Person, project: str) -> dict[str, Any]:
    """A snapshot of two images that waits for its job."""
    book(alice, project, "dent")
    labelled(alice, project, "a.png", ("dent", 1, 2, 3, 4))
    labelled(alice, project, "b.png")
    return snapshot_of(alice, project)


def half(snapshot: Snapshot) -> bool:
    """Whether anything of a snapshot that is not READY stands in its row."""
    written = (snapshot.manifest_sha256, snapshot.coco_sha256, snapshot.image_count, snapshot.classes, snapshot.splits)
    return snapshot.status != Snapshot.Status.READY and any(written)


def whole(person: Person, asked: dict[str, Any]) -> bool:
    """Whether it is READY, as the API and S3 have it."""
    snapshot, now, storage = snapshot_row(person, asked), shown(person, asked), TenantStorage(person.tenant.id)
    manifest = load_manifest(snapshot=snapshot, storage=storage)
    coco = storage.sizes("exports", names=[f"{snapshot.coco_sha256}.json"])
    counted = (now["status"], now["error"], now["image_count"], now["box_count"])
    return counted == ("READY", None, 2, 1) and len(manifest.images) == 2 and len(coco) == 1


@EVERY_LINE
def test_attempt_that_fails_at_this_line_is_repeated(
    alice: Person, asked: dict[str, Any], hand: Hand, fails_once: Any, line: Line
) -> None:
    fails_once(line, StorageUnavailable("S3 is away"))

    assert hand.work() == ["PENDING"]
    published = line == Line(freezing, "_publish", after=True)
    assert shown(alice, asked)["status"] == ("READY" if published else "BUILDING")
    assert not half(snapshot_row(alice, asked))
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]

    assert whole(alice, asked)
    job = jobs_of(alice)[0]
    assert (job.attempts, job.result) == (2, {"snapshot": asked["id"], "images": 2, "boxes": 1})


@EVERY_LINE
def test_killed_worker_s_snapshot_is_made_by_the_next(
    alice: Person, asked: dict[str, Any], hand: Hand, fails_once: Any, line: Line
) -> None:
    fails_once(line, Killed())

    with pytest.raises(Killed):
        hand.work()
    assert not half(snapshot_row(alice, asked))
    expire(alice, jobs_of(alice)[0].id)
    assert hand.work() == ["SUCCEEDED"]

    assert whole(alice, asked)


def test_what_was_labelled_after_a_crash_is_in_the_snapshot_and_its_counts(
    alice: Person, asked: dict[str, Any], hand: Hand, storage: TenantStorage, fails_once: Any
) -> None:
    """The first attempt's manifest is stored, and nobody's; the row tells of the second one's only."""
    fails_once(Line(freezing, "_store", after=True), StorageUnavailable("S3 is away"))
    assert hand.work() == ["PENDING"]
    labelled(alice, asked["project"], "c.png", ("dent", 5, 5, 5, 5))
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]

    snapshot = snapshot_row(alice, asked)
    manifest = load_manifest(snapshot=snapshot, storage=storage)
    assert (snapshot.image_count, snapshot.box_count) == (len(manifest.images), 2) == (3, 2)


def test_what_an_attempt_published_before_it_died_is_not_made_again(
    alice: Person, asked: dict[str, Any], hand: Hand, fails_once: Any
) -> None:
    fails_once(Line(freezing, "_publish", after=True), StorageUnavailable("S3 is away"))
    assert hand.work() == ["PENDING"]
    labelled(alice, asked["project"], "c.png", ("dent", 5, 5, 5, 5))
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]

    assert whole(alice, asked)
    assert jobs_of(alice)[0].result == {"snapshot": asked["id"], "images": 2, "boxes": 1}


def test_failure_whose_attempt_died_before_it_could_say_so_is_said_by_the_next(
    alice: Person, asked: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "MAX_MANIFEST_BYTES", 100)
    original = execution.leases.fail

    def fail(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(execution.leases, "fail", fail)
    with pytest.raises(Killed):
        hand.work()
    assert snapshot_row(alice, asked).status == "FAILED"
    monkeypatch.undo()
    assert execution.leases.fail is original
    expire(alice, jobs_of(alice)[0].id)
    assert hand.work() == ["FAILED"]

    now = shown(alice, asked)
    assert (now["status"], now["error"]["code"]) == ("FAILED", "snapshot_too_large")
    assert now["error"]["hint"]
    assert jobs_of(alice)[0].error == now["error"]
    assert not half(snapshot_row(alice, asked))


def test_bytes_that_s3_got_wrong_are_not_published(
    alice: Person, asked: dict[str, Any], hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 compares what it gets with the hash; what it refuses leaves no row and no object."""
    original, keys = TenantStorage.put_once, []

    def put_once(self: TenantStorage, key: str, path: Any, **options: Any) -> bool:
        keys.append(key)
        path.write_bytes(path.read_bytes() + b" ")
        return original(self, key, path, **options)

    monkeypatch.setattr(TenantStorage, "put_once", put_once)
    assert hand.work() == ["PENDING"]
    monkeypatch.undo()
    assert not half(snapshot_row(alice, asked))
    assert storage.sizes("manifests", names=[key.partition("/")[2] for key in keys]) == {}
    assert keys == [manifest_key(keys[0].removeprefix("manifests/").removesuffix(".json"))]
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]
    assert whole(alice, asked)
