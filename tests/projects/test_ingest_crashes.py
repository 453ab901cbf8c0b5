"""Ingest that is broken off at any line: images end READY once and whole, or wait for the next attempt."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from projects.domain import ingest
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.crashing import Killed, Line, break_once
from tests.projects.files import File, photograph, photographs
from tests.projects.uploading import ask, bring, complete, send, statuses
from tests.projects.working import READY, WAITS, Hand, expire, hasten, job_of, published, rows

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

    return partial(break_once, monkeypatch)


@pytest.mark.parametrize("line", LINES, ids=str)
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
