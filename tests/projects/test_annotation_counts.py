"""The counters equal a recount, whatever is annotated, corrected and deleted, and by however many at once."""

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection

from projects.domain.annotations import annotate
from projects.domain.images import delete_image
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.labelling import (
    annotated,
    book,
    box,
    counters,
    ready,
    recounted,
    refused,
    said,
    shown_classes,
    versions,
)
from tests.projects.uploading import post

CLASSES = ("dent", "pit", "burr", "rust")
Queries = Callable[[], AbstractContextManager[list[str]]]


def drawn(draw: random.Random) -> list[dict[str, Any]]:
    """None to four boxes of any classes."""
    return [box(draw.choice(CLASSES), draw.randrange(90), draw.randrange(70), 5, 5) for _ in range(draw.randrange(5))]


def said_of_some(draw: random.Random, images: list[str]) -> list[dict[str, Any]]:
    return [said(image, *drawn(draw)) for image in draw.sample(images, draw.randrange(1, 6))]


@pytest.mark.parametrize("seed", range(3))
def test_counters_equal_a_recount_after_anything(alice: Person, project: str, seed: int) -> None:
    draw = random.Random(seed)
    book(alice, project, *CLASSES)
    images = ready(alice, project, *range(12), classes=["rust"])
    for _ in range(25):
        action = draw.random()
        if action < 0.85 or len(images) < 7:
            annotated(alice, project, *said_of_some(draw, images))
        elif action < 0.97:
            assert alice.api.delete(f"/api/v1/images/{images.pop(draw.randrange(len(images)))}").status_code == 204
        else:
            broken = [said(draw.choice(images), *drawn(draw), {"class": "dent", "bbox": [1, 1, 0, 1]})]
            assert annotated(alice, project, *broken)[0]["status"] == "REJECTED"
        assert counters(alice, project) == recounted(alice, project)

    by_rows, by_boxes = shown_classes(alice, project)
    assert by_rows == by_boxes
    assert counters(alice, project)["labelled"] == len(by_rows) > 0


def test_two_threads_that_annotate_the_same_images_lose_nothing(cast: Cast, project: str) -> None:
    """And none waits for the other in a ring, while a third deletes."""
    alice = cast.alice
    book(alice, project, *CLASSES)
    images = ready(alice, project, *range(10))

    def work(person: Person, seed: int) -> int:
        draw = random.Random(seed)
        try:
            written = 0
            for _ in range(12):
                lines = annotated(person, project, *said_of_some(draw, images))
                assert {line["error"]["code"] for line in lines if "error" in line} <= {"unknown_image"}
                written += sum(line["status"] == "CREATED" for line in lines)
            return written
        finally:
            connection.close()

    def delete() -> None:
        try:
            for image in images[:3]:
                assert alice.api.delete(f"/api/v1/images/{image}").status_code == 204
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work, person, seed) for seed, person in enumerate((alice, cast.bob))]
        deleting = pool.submit(delete)
        written = [done.result() for done in working]
        deleting.result()

    assert counters(alice, project) == recounted(alice, project)
    by_rows, by_boxes = shown_classes(alice, project)
    assert by_rows == by_boxes
    kept = [versions(alice, image) for image in images[3:]]
    assert all([line["number"] for line in said] == list(range(len(said), 0, -1)) for said in kept)
    assert all([line["accepted"] for line in said] == [True, *[False] * (len(said) - 1)] for said in kept if said)
    assert all(written)


def test_deletion_that_waited_counts_what_it_deletes(alice: Person, project: str) -> None:
    """The image was not labelled when its deletion was asked for."""
    book(alice, project, "dent")
    first, second = ready(alice, project, 0, 1)
    annotated(alice, project, said(second, box("dent")))

    def delete() -> None:
        try:
            with tenant_scope(alice.tenant.id):
                delete_image(image_id=uuid.UUID(first), by=alice.principal)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with tenant_scope(alice.tenant.id):
            annotate(project_id=uuid.UUID(project), items=[said(first, box("dent"), box("dent"))], by=alice.principal)
            waiting = pool.submit(delete)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=10)

    assert counters(alice, project) == recounted(alice, project) == {"labelled": 1, "dent": (1, 1)}


def test_image_deleted_meanwhile_is_not_annotated(alice: Person, project: str) -> None:
    (image,) = ready(alice, project, 0)

    def late() -> dict[str, str]:
        try:
            return refused(alice, project, said(image))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with tenant_scope(alice.tenant.id):
            delete_image(image_id=uuid.UUID(image), by=alice.principal)
            waiting = pool.submit(late)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=10)["code"] == "unknown_image"
    assert counters(alice, project) == {"labelled": 0}


def test_deleted_class_is_counted_until_its_boxes_are_corrected(alice: Person, project: str) -> None:
    dent, _ = book(alice, project, "dent", "pit")
    (image,) = ready(alice, project, 0)
    annotated(alice, project, said(image, box("dent"), box("pit")))
    alice.api.delete(f"/api/v1/classes/{dent}")
    assert counters(alice, project) == {"labelled": 1, "dent": (1, 1), "pit": (1, 1)}

    annotated(alice, project, said(image, box("pit")))

    assert counters(alice, project) == recounted(alice, project) == {"labelled": 1, "dent": (0, 0), "pit": (1, 1)}


def test_deleted_project_counts_nothing(alice: Person, project: str) -> None:
    book(alice, project, "dent")
    images = ready(alice, project, 0, 1)
    annotated(alice, project, *(said(image, box("dent")) for image in images))

    alice.api.delete(f"/api/v1/projects/{project}")

    assert counters(alice, project) == recounted(alice, project) == {"labelled": 0, "dent": (0, 0)}


def test_api_shows_the_counters(alice: Person, project: str) -> None:
    dent, pit = book(alice, project, "dent", "pit")
    images = ready(alice, project, 0, 1, 2)
    annotated(alice, project, said(images[0], box("dent"), box("dent", 50, 50, 5, 5)), said(images[1], box("dent")))
    annotated(alice, project, said(images[2]))

    shown = [alice.api.get(f"/api/v1/classes/{class_id}").json() for class_id in (dent, pit)]
    assert [(label["image_count"], label["box_count"]) for label in shown] == [(2, 3), (0, 0)]
    assert alice.api.get(f"/api/v1/projects/{project}").json()["labelled_count"] == 3


def statements(alice: Person, project: str, queries: Queries, *items: Any) -> int:
    with queries() as sql:
        answer = post(alice, f"projects/{project}/annotations", {"annotations": list(items)})
    assert {line["status"] for line in answer.json()["results"]} == {"CREATED"}
    return len(sql)


def test_as_many_statements_for_many_images_as_for_one(alice: Person, project: str, queries: Queries) -> None:
    book(alice, project, *CLASSES)
    images = ready(alice, project, *range(41), classes=["rust"])
    alice.api.get("/api/v1/me")  # the first request of a minute notes that the key was used

    first = [
        statements(alice, project, queries, *(said(image, box("dent"), box("pit")) for image in some))
        for some in (images[:1], images[1:])
    ]
    corrected = [
        statements(alice, project, queries, *(said(image, box("burr"), box("pit")) for image in some))
        for some in (images[:1], images[1:])
    ]
    by_name = [
        statements(alice, project, queries, *({"filename": f"{number}.jpg", "boxes": []} for number in some))
        for some in (range(1), range(1, 41))
    ]

    # Who asks, the scope, what is there, and what is written.
    assert first == [21, 21]
    assert corrected == [22, 22]
    assert by_name == [20, 20]
