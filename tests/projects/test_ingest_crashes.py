"""Ingest that is broken off at any line: images end READY once and whole, or wait for the next attempt."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from projects.domain import ingest
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.projects.files import File, photograph, photographs
from tests.projects.uploading import ask, bring, complete, post, send, statuses
from tests.projects.working import Hand, hasten, row, rows
from workers.children.decode import DecodeChild
from workers.domain import execution

READY = ("READY", None)
WAITS = ("ARRIVED", None)


class Killed(BaseException):
    """Ends an attempt as SIGKILL would: no handler runs, no state is written."""


def job_of(alice: Person, image: str) -> Job:
    found = row(alice, image).job
    assert isinstance(found, Job)
    return found


def expire(alice: Person, job_id: uuid.UUID) -> None:
    """Lets the lease run out, as it does a few seconds after its worker died."""
    with tenant_scope(alice.tenant.id):
        Job.objects.filter(id=job_id).update(expires_at=timezone.now())


def published(alice: Person, *images: str) -> bool:
    """Whether all are READY with both objects, and nothing that came in is left."""
    storage = TenantStorage(alice.tenant.id)
    found = [row(alice, image) for image in images]
    stored = storage.sizes("images", names=[image.stored_sha256 for image in found])
    thumbnails = storage.sizes("thumbnails", names=[image.thumbnail_sha256 for image in found])
    left = storage.sizes("incoming", names=images)
    return rows(alice, *images) == [READY] * len(images) and len(stored) == len(thumbnails) == len(images) and not left


@dataclass(frozen=True)
class Line:
    """A call of the ingest, before or after which it is broken off."""

    owner: Any
    name: str
    after: bool = False


LINES = [
    Line(TenantStorage, "download"),
    Line(ingest, "_store"),
    Line(ingest, "_store", after=True),
    Line(ingest, "_publish", after=True),
    Line(TenantStorage, "delete"),
    Line(TenantStorage, "delete", after=True),
]


@pytest.fixture
def fails_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`fails_once(line, error)`: the first call of that line raises, before it did its work or after."""

    def arrange(line: Line, error: BaseException) -> None:
        original, left = getattr(line.owner, line.name), [error]

        def call(*args: Any, **kwargs: Any) -> Any:
            if not left:
                return original(*args, **kwargs)
            if line.after:
                original(*args, **kwargs)
            raise left.pop()

        monkeypatch.setattr(line.owner, line.name, call)

    return arrange


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.name}-{'after' if line.after else 'before'}")
def test_attempt_that_fails_at_this_line_is_repeated(
    alice: Person, project: str, hand: Hand, fails_once: Callable[..., None], line: Line
) -> None:
    images = bring(alice, project, *photographs(2))
    fails_once(line, StorageUnavailable("S3 is away"))

    assert hand.work() == ["PENDING"]
    assert rows(alice, *images) == [READY if line.name in ("_publish", "delete") else WAITS] * 2
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]

    assert published(alice, *images)
    job = job_of(alice, images[0])
    assert (job.attempts, job.result, job.error) == (2, {"ready": 2, "failed": 0}, None)


@pytest.mark.parametrize("line", [Line(ingest, "_store", after=True), Line(ingest, "_publish", after=True)])
def test_killed_worker_s_job_is_taken_over_when_its_lease_ends(
    alice: Person, project: str, hand: Hand, fails_once: Callable[..., None], line: Line
) -> None:
    images = bring(alice, project, *photographs(2))
    fails_once(line, Killed())

    with pytest.raises(Killed):
        hand.work()
    job = job_of(alice, images[0])
    assert job.state == "RUNNING"
    assert hand.work() == []
    expire(alice, job.id)
    assert hand.work() == ["SUCCEEDED"]

    assert published(alice, *images)
    assert job_of(alice, images[0]).attempts == 2


def test_attempt_that_lost_its_lease_publishes_nothing(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for dead while it decoded, the worker comes back to find another one at its job."""
    images = bring(alice, project, *photographs(2))
    job_id, original, outcomes = job_of(alice, images[0]).id, ingest._store, []

    def store(*args: Any) -> None:
        monkeypatch.setattr(ingest, "_store", original)
        expire(alice, job_id)
        (again,) = hand.dispatched()
        outcomes.append(execution.execute_job(job_id=again, worker="other hand"))
        assert published(alice, *images)
        original(*args)

    monkeypatch.setattr(ingest, "_store", store)
    before: list[Any] = []
    monkeypatch.setattr(TenantStorage, "delete", _noting(before, TenantStorage.delete))

    assert hand.work() == [None]

    assert outcomes == ["SUCCEEDED"]
    assert published(alice, *images)
    job = job_of(alice, images[0])
    assert (job.state, job.worker, job.token, job.attempts) == ("SUCCEEDED", "other hand", 2, 2)
    assert len(before) == 1  # of the attempt that published


def _noting(calls: list[Any], original: Callable[..., None]) -> Callable[..., None]:
    def call(self: TenantStorage, keys: Any) -> None:
        calls.append(keys)
        original(self, keys)

    return call


def test_cancel_keeps_what_is_published_and_leaves_the_rest_for_another_job(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = bring(alice, project, *photographs(3))
    job_id = job_of(alice, images[0]).id
    monkeypatch.setattr(ingest, "CHUNK", 1)
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 0.05)
    original = ingest._publish

    def publish(context: Any, *args: Any) -> None:
        original(context, *args)
        post(alice, f"jobs/{job_id}/cancel", {})
        assert context.canceled.wait(timeout=10)

    monkeypatch.setattr(ingest, "_publish", publish)
    assert hand.work() == ["CANCELED"]

    assert rows(alice, *images) == [READY, WAITS, WAITS]
    assert len(storage.sizes("incoming", names=images)) == 2
    monkeypatch.undo()
    again = complete(alice, project, *images)
    assert statuses(again) == ["READY", "ARRIVED", "ARRIVED"]
    assert again.json()["jobs"] != [str(job_id)]
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, *images)


def test_drained_worker_gives_back_what_it_has_not_decoded(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM amid a chunk: what is decoded of it is thrown away, and the attempt does not count."""
    images = bring(alice, project, *photographs(3))
    original = DecodeChild.decode

    def decode(self: DecodeChild, batch: Any, **options: Any) -> Any:
        return original(self, batch, on_result=lambda _: execution.draining.set(), **options)

    monkeypatch.setattr(DecodeChild, "decode", decode)
    try:
        sent = hand.dispatched()
        assert [execution.execute_job(job_id=job_id, worker="hand") for job_id in sent] == ["PENDING"]
    finally:
        execution.draining.clear()
    assert rows(alice, *images) == [WAITS] * 3

    monkeypatch.undo()
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, *images)
    assert job_of(alice, images[0]).attempts == 1


def test_what_is_sent_again_is_not_swept_by_the_old_attempt(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, fails_once: Callable[..., None]
) -> None:
    """The attempt that refused a file died before it deleted the bytes; its owner has sent them again meanwhile."""
    wrong = File("photo.jpg", photograph("photo", "PNG").data)
    image, other = bring(alice, project, wrong, photograph("other"))
    first = job_of(alice, image).id
    fails_once(Line(TenantStorage, "delete"), StorageUnavailable("S3 is away"))
    assert hand.work() == ["PENDING"]
    assert rows(alice, image, other) == [("FAILED", "type_mismatch"), READY]

    right = ask(alice, project, File("photo.png", wrong.data, "image/png"))[0]
    assert right["image"] == image
    send(right["upload"], wrong.data)
    hasten(alice)
    assert hand.work() == ["SUCCEEDED"]
    assert storage.sizes("incoming", names=[image, other]) == {image: len(wrong.data)}

    assert statuses(complete(alice, project, image)) == ["ARRIVED"]
    assert job_of(alice, image).id != first
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, image, other)


def test_job_that_fails_for_good_can_be_asked_for_again(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = bring(alice, project, photograph())[0]
    with tenant_scope(alice.tenant.id):
        Job.objects.update(max_attempts=1)

    def away(*_: Any) -> None:
        raise StorageUnavailable("S3 is away")

    monkeypatch.setattr(ingest, "_store", away)
    assert hand.work() == ["FAILED"]
    shown = alice.api.get(f"/api/v1/jobs/{job_of(alice, image).id}").json()
    assert shown["error"]["hint"]
    assert "S3 is away" not in str(shown)
    assert rows(alice, image) == [WAITS]

    monkeypatch.undo()
    assert complete(alice, project, image).status_code == 202
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, image)
