"""Ingest while others delete, or ingest the same."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from projects.domain import ingest
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.conftest import project_of
from tests.projects.files import File, encoded, photograph, photographs, picture
from tests.projects.uploading import bring, usage
from tests.projects.working import Hand, error_of, row, rows
from workers.domain import execution


def test_deleted_images_and_projects_are_not_ingested(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    kept, deleted = bring(alice, project, *photographs(2))
    alice.api.delete(f"/api/v1/images/{deleted}")
    assert hand.work() == ["SUCCEEDED"]
    late = bring(alice, project, photograph("late"))[0]
    alice.api.delete(f"/api/v1/projects/{project}")
    assert hand.work() == ["SUCCEEDED"]

    assert rows(alice, kept, deleted, late) == [("READY", None), ("ARRIVED", None), ("ARRIVED", None)]
    assert storage.sizes("incoming", names=[kept, deleted, late]) == {}


@pytest.mark.parametrize("what", ["images", "projects"])
def test_deleted_while_it_is_decoded_it_stays_deleted(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    image, other = bring(alice, project, *photographs(2))
    original = ingest._store

    def store(*args: Any) -> None:
        original(*args)
        gone = alice.api.delete(f"/api/v1/{what}/{image if what == 'images' else project}")
        assert gone.status_code == 204

    monkeypatch.setattr(ingest, "_store", store)
    assert hand.work() == ["SUCCEEDED"]

    found = row(alice, image)
    assert found.deleted_at is not None
    assert (found.status, found.stored_sha256) == ("ARRIVED", "")
    assert TenantStorage(alice.tenant.id).sizes("incoming", names=[image, other]) == {}
    assert usage(alice)["images"] == (1 if what == "images" else 0)
    if what == "images":
        assert rows(alice, other) == [("READY", None)]
        assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 1


@pytest.mark.parametrize("what", ["images", "projects"])
def test_deleting_while_it_is_published_waits_and_does_not_deadlock(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    images = bring(alice, project, *photographs(2))
    original = ingest._as_ready
    deleting: list[Future[int]] = []

    def delete() -> int:
        try:
            answer = alice.api.delete(f"/api/v1/{what}/{images[0] if what == 'images' else project}")
            return int(answer.status_code)
        finally:
            connection.close()

    def as_ready(*args: Any) -> Any:
        if not deleting:
            deleting.append(pool.submit(delete))
            with pytest.raises(TimeoutError):
                deleting[0].result(timeout=0.5)
        return original(*args)

    monkeypatch.setattr(ingest, "_as_ready", as_ready)
    with ThreadPoolExecutor(1) as pool:
        assert hand.work() == ["SUCCEEDED"]
        assert deleting[0].result(timeout=10) == 204

    found = [row(alice, image) for image in images]
    assert [image.status for image in found] == ["READY", "READY"]
    assert found[0].deleted_at is not None
    assert usage(alice)["images"] == (1 if what == "images" else 0)


def test_two_jobs_with_the_same_picture_publish_it_once(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = picture("twin")
    twins = [File(f"twin.{form.lower()}", encoded(drawn, form), f"image/{form.lower()}") for form in ("PNG", "BMP")]
    images = [bring(alice, project, twin)[0] for twin in twins]
    both_stored, original = threading.Barrier(2, timeout=20), ingest._publish

    def publish(*args: Any) -> None:
        both_stored.wait()
        original(*args)

    monkeypatch.setattr(ingest, "_publish", publish)

    def work(job_id: Any) -> str | None:
        try:
            return execution.execute_job(job_id=job_id, worker="hand")
        finally:
            connection.close()

    sent = hand.dispatched()
    assert len(sent) == 2
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, sent)) == ["SUCCEEDED", "SUCCEEDED"]

    assert sorted(rows(alice, *images), key=str) == [("FAILED", "duplicate_content"), ("READY", None)]
    ready = next(row(alice, image) for image in images if row(alice, image).status == "READY")
    failed = next(row(alice, image) for image in images if row(alice, image).status == "FAILED")
    assert error_of(alice, str(failed.id))["image"] == str(ready.id)
    assert storage.sizes("images", names=[ready.stored_sha256]).keys() == {ready.stored_sha256}


def test_same_file_in_two_projects_is_stored_once_and_ready_twice(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    file = photograph()
    images = [bring(alice, id_, file)[0] for id_ in (project, project_of(alice, "Lids"))]

    assert hand.work() == ["SUCCEEDED", "SUCCEEDED"]

    found = [row(alice, image) for image in images]
    assert [image.status for image in found] == ["READY", "READY"]
    assert found[0].stored_sha256 == found[1].stored_sha256
    alice.api.delete(f"/api/v1/projects/{project}")
    assert alice.api.get(f"/api/v1/images/{images[1]}/file").status_code == 302
    assert storage.sizes("images", names=[found[1].stored_sha256])
