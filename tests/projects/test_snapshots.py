"""Snapshots through the API: asked for, frozen by a job, listed, fetched."""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from projects.domain.manifests import read_manifest
from projects.models import Image
from tenants.models import AuditEvent
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import photograph
from tests.projects.labelled import label, labelled, ready, shown, snapshot_of
from tests.projects.labelling import book
from tests.projects.test_lists import queries_around, read
from tests.projects.uploading import bring, post
from tests.projects.working import Hand, jobs_of

Queries = Callable[[], AbstractContextManager[list[str]]]
DENT = ("dent", 1.5, 2.0, 30.0, 32.0)
SCRATCH = ("scratch", 0.0, 0.25, 48.0, 1.0)


def fetched(person: Person, snapshot: dict[str, Any], which: str) -> bytes:
    redirect = person.api.get(f"/api/v1/snapshots/{snapshot['id']}/{which}")
    assert redirect.status_code == 302, redirect.content
    assert redirect["Cache-Control"] == "no-store"
    served = httpx.get(redirect["Location"])
    assert served.status_code == 200
    return served.content


def test_what_is_labelled_is_frozen_under_its_hash(cast: Cast, project: str, hand: Hand) -> None:
    alice = cast.alice
    dent, scratch = book(alice, project, "dent", "scratch")
    first = bring(alice, project, photograph("casing"), group="part 7", split="TEST", metadata={"line": 2})[0]
    hand.work()
    version = label(alice, first, DENT, SCRATCH, DENT)
    good = labelled(alice, project, "good.png")

    answer = post(alice, f"projects/{project}/snapshots", {"note": "before the audit"})
    asked = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"/api/v1/jobs/{asked['job']}")
    assert (asked["number"], asked["status"], asked["note"]) == (1, "BUILDING", "before the audit")
    assert (asked["project"], asked["created_by"]) == (project, str(alice.seat.member.id))
    assert hand.work() == ["SUCCEEDED"]

    now = shown(cast.vera, asked)
    assert (now["status"], now["error"], now["image_count"], now["box_count"]) == ("READY", None, 2, 3)
    assert now["classes"] == [
        {"id": dent, "name": "dent", "images": 1, "boxes": 2},
        {"id": scratch, "name": "scratch", "images": 1, "boxes": 1},
    ]
    assert now["splits"] == {"TRAIN": 1, "VALIDATION": 0, "TEST": 1}
    assert alice.api.get(answer["Location"]).json()["result"] == {"snapshot": asked["id"], "images": 2, "boxes": 3}
    data = fetched(cast.vera, asked, "manifest")
    assert hashlib.sha256(data).hexdigest() == now["manifest_sha256"]
    assert hashlib.sha256(fetched(alice, asked, "coco")).hexdigest() == now["coco_sha256"]
    manifest = read_manifest(data)
    image = alice.api.get(f"/api/v1/images/{first}").json()
    assert (str(manifest.project), manifest.kind) == (project, "DETECTION")
    assert json.loads(data)["images"][0] == {
        "id": first,
        "filename": "casing.jpg",
        "sha256": image["stored_sha256"],
        "type": "image/jpeg",
        "width": 48,
        "height": 36,
        "split": "TEST",
        "group": "part 7",
        "metadata": {"line": 2},
        "annotation": version,
        "boxes": [[0, 1.5, 2.0, 30.0, 32.0], [1, 0.0, 0.25, 48.0, 1.0], [0, 1.5, 2.0, 30.0, 32.0]],
    }
    assert (str(manifest.images[1].id), manifest.images[1].boxes) == (good, ())
    assert manifest.images[1].group == good  # in no group: its own


def test_the_same_data_is_the_same_hash_and_a_correction_another(alice: Person, project: str, hand: Hand) -> None:
    book(alice, project, "dent")
    image = labelled(alice, project, "a.png", DENT)
    asked = [snapshot_of(alice, project, note) for note in ("one", "two")]
    hand.work()
    label(alice, image, ("dent", 9, 9, 9, 9))
    asked.append(snapshot_of(alice, project))
    hand.work()

    made = [shown(alice, snapshot) for snapshot in asked]
    assert [snapshot["number"] for snapshot in made] == [1, 2, 3]
    assert made[0]["manifest_sha256"] == made[1]["manifest_sha256"] != made[2]["manifest_sha256"]
    assert made[0]["coco_sha256"] == made[1]["coco_sha256"] != made[2]["coco_sha256"]
    # The first is what it was.
    assert read_manifest(fetched(alice, asked[0], "manifest")).images[0].boxes[0].x == 1.5


def test_only_what_counts_is_frozen(alice: Person, project: str, hand: Hand) -> None:
    """Not: the unlabelled, the deleted, the failed, another project's, what a deleted class says."""
    dent, scratch = book(alice, project, "dent", "scratch")
    kept = labelled(alice, project, "kept.png", DENT, SCRATCH)
    ready(alice, project, "unlabelled.png")
    failed = labelled(alice, project, "failed.png")
    with tenant_scope(alice.tenant.id):
        Image.objects.filter(id=failed).update(status="FAILED", error={"code": "x", "message": "x", "hint": "x"})
    labelled(alice, project, "dented.png", DENT)  # whose class will go: it must not pass for a good one
    deleted = labelled(alice, project, "deleted.png", DENT)
    alice.api.delete(f"/api/v1/images/{deleted}")
    labelled(alice, project_of(alice, "Lids"), "lid.png")
    alice.api.delete(f"/api/v1/classes/{dent}")
    snapshot = snapshot_of(alice, project)
    hand.work()

    now = shown(alice, snapshot)
    manifest = read_manifest(fetched(alice, snapshot, "manifest"))
    assert [str(image.id) for image in manifest.images] == [kept]
    assert now["classes"] == [{"id": scratch, "name": "scratch", "images": 1, "boxes": 1}]
    assert [(box.class_index, box.height) for box in manifest.images[0].boxes] == [(0, 1.0)]


def test_the_job_asks_as_many_queries_for_three_images_as_for_one(
    alice: Person, project: str, hand: Hand, queries: Queries
) -> None:
    book(alice, project, "dent")
    counts = []
    for numbers in ([0], [1, 2]):
        for number in numbers:
            labelled(alice, project, f"{number}.png", DENT, DENT)
        snapshot_of(alice, project)
        (job_id,) = hand.dispatched()
        from workers.domain import execution

        with queries() as sql:
            assert execution.execute_job(job_id=job_id, worker="hand") == "SUCCEEDED"
        counts.append(sum("projects_" in statement for statement in sql))

    # The snapshot with its project, images, boxes, classes, and the row that is published.
    assert counts == [5, 5]


def test_nothing_labelled_is_refused_with_what_to_add(alice: Person, project: str) -> None:
    ready(alice, project, "unlabelled.png")
    answer = post(alice, f"projects/{project}/snapshots", {})

    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_labelled")
    assert "Annotate" in answer.json()["hint"]
    assert jobs_of(alice) == []
    assert alice.api.get(f"/api/v1/projects/{project}/snapshots").json()["results"] == []


def test_what_is_gone_when_the_job_runs_leaves_it_failed_with_the_reason(
    alice: Person, project: str, hand: Hand
) -> None:
    image = labelled(alice, project, "a.png")
    snapshot = snapshot_of(alice, project)
    alice.api.delete(f"/api/v1/images/{image}")
    assert hand.work() == ["FAILED"]

    now = shown(alice, snapshot)
    assert (now["status"], now["error"]["code"], now["manifest_sha256"]) == ("FAILED", "nothing_labelled", "")
    assert now["error"]["hint"]
    assert jobs_of(alice)[0].error == now["error"]


def test_files_of_a_snapshot_that_is_not_ready(alice: Person, project: str, hand: Hand) -> None:
    image = labelled(alice, project, "a.png")
    snapshot = snapshot_of(alice, project)
    for _ in range(2):
        for which in ("manifest", "coco", f"diff?against={snapshot['id']}"):
            answer = alice.api.get(f"/api/v1/snapshots/{snapshot['id']}/{which}")
            assert (answer.status_code, answer.json()["code"]) == (409, "snapshot_not_ready")
            assert answer.json()["hint"]
        alice.api.delete(f"/api/v1/images/{image}")
        hand.work()
    assert shown(alice, snapshot)["status"] == "FAILED"


def test_who_may_ask_and_who_may_see(cast: Cast, project: str, hand: Hand) -> None:
    labelled(cast.alice, project, "a.png")
    path = f"/api/v1/projects/{project}/snapshots"
    for person, status in ((cast.bob, 403), (cast.vera, 403), (cast.charlie, 404)):
        assert person.api.post(path, {}, format="json").status_code == status
    snapshot = snapshot_of(cast.alice, project)
    hand.work()
    own = f"/api/v1/snapshots/{snapshot['id']}"
    for address in (own, f"{own}/manifest", f"{own}/coco", f"{own}/diff?against={snapshot['id']}"):
        assert cast.charlie.api.get(address).status_code == 404
        assert cast.bob.api.get(address).status_code == (302 if address.endswith(("manifest", "coco")) else 200)

    cast.alice.api.delete(f"/api/v1/projects/{project}")
    for address in (own, f"{own}/manifest", f"{own}/coco", f"{own}/diff?against={snapshot['id']}", path):
        assert cast.alice.api.get(address).status_code == 404


@pytest.mark.parametrize("note", ["x" * 501, None, 7.5 * 10**300, ["x"], {"a": 1}])
def test_a_note_is_a_short_text(alice: Person, project: str, note: object) -> None:
    labelled(alice, project, "a.png")
    answer = post(alice, f"projects/{project}/snapshots", {"note": note})
    if isinstance(note, float):  # a number is taken for its text
        assert answer.status_code == 202
        return
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "note")


def test_asking_twice_under_one_key_makes_one(alice: Person, project: str, hand: Hand) -> None:
    labelled(alice, project, "a.png")
    path = f"/api/v1/projects/{project}/snapshots"
    answers = [alice.api.post(path, {}, format="json", HTTP_IDEMPOTENCY_KEY="once") for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Location"] == answers[0]["Location"]
    assert len(alice.api.get(path).json()["results"]) == 1
    with tenant_scope(alice.tenant.id):
        line = AuditEvent.objects.get(action="snapshot.created")
        assert (str(line.target_id), line.detail) == (answers[0].json()["id"], {"number": 1})


def test_list_is_newest_first_and_asks_as_many_queries_at_three_as_at_one(
    alice: Person, project: str, hand: Hand, queries: Queries
) -> None:
    labelled(alice, project, "a.png")
    around = queries_around(alice, queries, project)
    path = f"projects/{project}/snapshots"
    made = [snapshot_of(alice, project)["id"]]
    hand.work()
    at_one = read(alice, queries, path)
    made += [snapshot_of(alice, project)["id"] for _ in range(2)]

    assert (at_one, read(alice, queries, path)) == ((1, around + 2), (3, around + 2))
    listed = alice.api.get(f"/api/v1/{path}").json()["results"]
    assert [line["id"] for line in listed] == made[::-1]
    assert [line["status"] for line in listed] == ["BUILDING", "BUILDING", "READY"]
    page = alice.api.get(f"/api/v1/{path}?limit=2").json()
    assert [line["number"] for line in alice.api.get(page["next"]).json()["results"]] == [1]
