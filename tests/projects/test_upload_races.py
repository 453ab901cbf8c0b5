"""Uploads that meet: two clients complete at once, or one deletes what another sends."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from projects.domain import uploads
from tests.cast import Person
from tests.projects.files import photograph, photographs
from tests.projects.uploading import ask, complete, send, statuses, usage
from tests.projects.working import Hand, jobs_of, published


def test_concurrent_completions_make_one_job(alice: Person, project: str) -> None:
    files = photographs(4)
    lines = ask(alice, project, *files)
    for line, file in zip(lines, files, strict=True):
        send(line["upload"], file.data)
    images = [line["image"] for line in lines]

    def finish(number: int) -> tuple[list[str], list[str]]:
        try:
            # In another order each, as different clients would.
            answer = complete(alice, project, *images[number:], *images[:number])
            return statuses(answer), answer.json()["jobs"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(finish, range(4)))

    (job,) = jobs_of(alice)
    assert answers == [(["ARRIVED"] * 4, [str(job.id)])] * 4
    assert sorted(job.spec["images"]) == sorted(images)


def test_same_file_through_the_direct_door_at_once_is_one_image_and_one_job(
    alice: Person, project: str, hand: Hand
) -> None:
    file = photograph()

    def carry(number: int) -> tuple[int, str, str | None]:
        try:
            form = {"file": SimpleUploadedFile(f"{number}.jpg", file.data, file.content_type)}
            answer = alice.api.post(f"/api/v1/projects/{project}/images", form, format="multipart")
            return answer.status_code, answer.json()["image"]["id"], answer.json()["job"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(carry, range(4)))

    (job,) = jobs_of(alice)
    ((status, image, told),) = answers
    assert (status, told) == (202, str(job.id))
    assert usage(alice) == {"images": 1, "bytes": len(file.data), "projects": 1}
    assert hand.work() == ["SUCCEEDED"]
    assert published(alice, image)


@pytest.mark.parametrize("what", ["images", "projects"])
def test_deleted_between_the_look_into_s3_and_the_job(
    alice: Person, project: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    files = photographs(2)
    lines = ask(alice, project, *files)
    for line, file in zip(lines, files, strict=True):
        send(line["upload"], file.data)
    images = [line["image"] for line in lines]
    original = uploads._arrived

    def arrived(*args: Any) -> Any:
        seen = original(*args)
        assert len(seen) == 2
        alice.api.delete(f"/api/v1/{what}/{images[0] if what == 'images' else project}")
        return seen

    monkeypatch.setattr(uploads, "_arrived", arrived)
    answer = complete(alice, project, *images)

    assert statuses(answer) == ["NOT_FOUND", "ARRIVED" if what == "images" else "NOT_FOUND"]
    assert [job.spec["images"] for job in jobs_of(alice)] == ([[images[1]]] if what == "images" else [])
