"""Annotating: a version for each image by a named author, nothing twice, nothing overwritten."""

from typing import Any

import pytest

from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.labelling import annotated, book, box, ready, refused, said, versions
from tests.projects.test_registration import audited
from tests.projects.uploading import post

MISSING = "00000000-0000-7000-8000-000000000000"


def test_each_item_gets_its_answer_in_order(alice: Person, project: str) -> None:
    dent, _ = book(alice, project, "dent", "pit")
    first, second, third = ready(alice, project, 0, 1, 2)
    lines = annotated(
        alice,
        project,
        said(first, box("dent", 1, 2, 3, 4), box("pit", 5.25, 6, 70.5, 8)),
        said(MISSING),
        {"filename": "1.jpg", "boxes": [box(dent, 0, 0, 100, 80)]},
        "three",
        said(third, box("dent", 1, 2, 0, 4)),
    )

    assert [line["status"] for line in lines] == ["CREATED", "REJECTED", "CREATED", "REJECTED", "REJECTED"]
    assert [line.get("image") for line in lines] == [first, None, second, None, third]
    assert [line["filename"] for line in lines] == ["0.jpg", "", "1.jpg", "", "2.jpg"]
    assert [line.get("number") for line in lines] == [1, None, 1, None, None]
    assert lines[4]["error"]["message"].startswith("2.jpg: boxes[0]")
    codes = [line.get("error", {}).get("code") for line in lines]
    assert codes == [None, "unknown_image", None, "validation_failed", "bad_box"]
    assert [line["warnings"] for line in lines] == [[]] * 5

    (version,) = versions(alice, first)
    assert version == {
        "id": lines[0]["annotation"],
        "image": first,
        "number": 1,
        "author": {"id": str(alice.seat.member.id), "name": "Alice"},
        "accepted": True,
        "boxes": [
            {"class": dent, "name": "dent", "bbox": [1.0, 2.0, 3.0, 4.0]},
            {"class": version["boxes"][1]["class"], "name": "pit", "bbox": [5.25, 6.0, 70.5, 8.0]},
        ],
        "created_at": version["created_at"],
    }
    assert alice.api.get(f"/api/v1/annotations/{version['id']}").json() == version
    shown = alice.api.get(f"/api/v1/images/{first}").json()
    assert (shown["annotation"], shown["classes"]) == (version["id"], [line["class"] for line in version["boxes"]])
    assert alice.api.get(f"/api/v1/images/{third}").json()["annotation"] is None
    assert versions(alice, third) == []
    assert audited(alice, "images.annotated") == [{"count": 2}]


def test_correction_is_a_new_version_by_its_author(cast: Cast, project: str) -> None:
    alice, bob = cast.alice, cast.bob
    dent, pit = book(alice, project, "dent", "pit")
    (image,) = ready(alice, project, 0)
    annotated(alice, project, said(image, box("dent"), box("dent", 40, 40, 9, 9)))
    before = versions(alice, image)

    (line,) = annotated(bob, project, said(image, box("pit")))

    newest, oldest = versions(alice, image)
    assert (line["status"], line["number"], line["annotation"]) == ("CREATED", 2, newest["id"])
    assert (newest["author"]["name"], newest["accepted"], newest["boxes"][0]["class"]) == ("Bob", True, pit)
    assert [oldest] == [before[0] | {"accepted": False}]
    assert [drawn["class"] for drawn in oldest["boxes"]] == [dent, dent]
    assert alice.api.get(f"/api/v1/images/{image}").json()["classes"] == [pit]


def test_what_is_said_already_is_not_written_again(cast: Cast, project: str) -> None:
    alice = cast.alice
    dent, _ = book(alice, project, "dent", "pit")
    first, second, third = ready(alice, project, 0, 1, 2)
    boxes = [box("dent", 1, 2, 3, 4), box("pit", 90.1, 70.7, 30, 30), box("dent", 1, 2, 3, 4)]
    created = annotated(alice, project, said(first, *boxes), said(second), said(third, box("dent")))

    # The other way round, by id, by another author: the same all the same.
    again = annotated(
        cast.bob, project, said(first, *boxes[1:], box(dent, 1, 2, 3, 4)), said(second), said(third, box("pit"))
    )

    assert [line["status"] for line in created] == ["CREATED"] * 3
    assert [line["status"] for line in again] == ["UNCHANGED", "UNCHANGED", "CREATED"]
    assert [line["annotation"] for line in again[:2]] == [line["annotation"] for line in created[:2]]
    assert [line["number"] for line in again] == [1, 1, 2]
    assert [version["author"]["name"] for version in versions(alice, first)] == ["Alice"]
    assert audited(alice, "images.annotated") == [{"count": 3}, {"count": 1}]
    # A box fewer is another statement, and so is one that was there twice.
    fewer = annotated(alice, project, said(first, *boxes[:2]), said(second, box("dent")), said(third))
    assert [(line["status"], line["number"]) for line in fewer] == [("CREATED", 2), ("CREATED", 2), ("CREATED", 3)]


def test_stored_boxes_sent_back_as_they_were_read_are_unchanged(alice: Person, project: str) -> None:
    """However odd the numbers were: what was cut at an edge is not cut again."""
    book(alice, project, "dent")
    (image,) = ready(alice, project, 0, width=641, height=479)
    odd = [(0.1, 0.2, 640.9, 478.8), (-7.3, 1 / 3, 100.1, 478.9), (600 - 1 / 7, 476.7, 9e9, 3.1), (-0.0, 5, 5, 5)]
    annotated(alice, project, said(image, *(box("dent", *bbox) for bbox in odd)))
    stored = versions(alice, image)[0]["boxes"]

    (line,) = annotated(alice, project, said(image, *stored))

    assert (line["status"], line["warnings"]) == ("UNCHANGED", [])
    assert stored[0]["bbox"] == [0.1, 0.2, 640.9, 478.8]
    assert str(stored[3]["bbox"][0]) == "0.0"


def test_no_boxes_say_that_the_image_is_good(alice: Person, project: str) -> None:
    book(alice, project, "dent")
    (image,) = ready(alice, project, 0)

    (line,) = annotated(alice, project, said(image))

    assert line["status"] == "CREATED"
    assert versions(alice, image)[0]["boxes"] == []
    assert alice.api.get(f"/api/v1/projects/{project}").json()["labelled_count"] == 1


def test_classes_of_the_upload_give_way_to_those_of_the_boxes(alice: Person, project: str) -> None:
    dent, pit, burr = book(alice, project, "dent", "pit", "burr")
    (image,) = ready(alice, project, 0, classes=["dent", "burr"])

    annotated(alice, project, said(image, box("pit"), box("burr"), box("pit", 50, 50, 9, 9)))

    assert set(alice.api.get(f"/api/v1/images/{image}").json()["classes"]) == {pit, burr}
    found = {
        name: len(alice.api.get(f"/api/v1/projects/{project}/images?class={class_id}").json()["results"])
        for name, class_id in (("dent", dent), ("pit", pit), ("burr", burr))
    }
    assert found == {"dent": 0, "pit": 1, "burr": 1}


def test_classes_of_a_labelled_image_are_its_boxes_to_say(alice: Person, project: str) -> None:
    dent, pit = book(alice, project, "dent", "pit")
    (image,) = ready(alice, project, 0)
    annotated(alice, project, said(image, box("dent")))
    path = f"/api/v1/images/{image}"

    other = alice.api.patch(path, {"classes": [pit], "split": "TEST"}, format="json")
    same = alice.api.patch(path, {"classes": [dent], "metadata": {"camera": "3"}}, format="json")

    assert (other.status_code, other.json()["code"]) == (409, "image_labelled")
    assert other.json()["hint"]
    assert same.status_code == 200
    shown = alice.api.get(path).json()
    assert (shown["classes"], shown["split_pinned"], shown["metadata"]) == ([dent], False, {"camera": "3"})


def test_if_number_keeps_two_labelers_from_overwriting_each_other(cast: Cast, project: str) -> None:
    book(cast.alice, project, "dent", "pit")
    (image,) = ready(cast.alice, project, 0)
    first = annotated(cast.alice, project, said(image, box("dent"), if_number=0))[0]
    mine = annotated(cast.alice, project, said(image, box("pit"), if_number=1))[0]

    late = refused(cast.bob, project, said(image, if_number=1))

    assert [line["number"] for line in (first, mine)] == [1, 2]
    assert late["code"] == "conflict"
    assert "number 2" in late["message"]
    assert len(versions(cast.alice, image)) == 2
    # The call whose answer was lost is no conflict with itself.
    again = annotated(cast.alice, project, said(image, box("pit"), if_number=1))[0]
    assert (again["status"], again["number"]) == ("UNCHANGED", 2)


def test_viewer_reads_and_labeler_annotates(cast: Cast, project: str) -> None:
    (image,) = ready(cast.alice, project, 0)
    body = {"annotations": [said(image)]}

    refusal = post(cast.vera, f"projects/{project}/annotations", body)
    annotated(cast.bob, project, said(image))

    assert (refusal.status_code, refusal.json()["code"]) == (403, "permission_denied")
    assert versions(cast.vera, image)[0]["author"]["name"] == "Bob"


def test_repeated_call_with_its_key_answers_the_same(alice: Person, project: str) -> None:
    book(alice, project, "dent")
    (image,) = ready(alice, project, 0)
    path, body = f"/api/v1/projects/{project}/annotations", {"annotations": [said(image, box("dent"))]}
    key: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "once"}

    answers = [alice.api.post(path, body, format="json", **key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert answers[0].json()["results"][0]["status"] == "CREATED"


def test_versions_of_what_is_deleted_are_gone(alice: Person, project: str) -> None:
    lids = project_of(alice, "Lids")
    images = [ready(alice, where, 0)[0] for where in (project, lids)]
    lines = [annotated(alice, where, said(image))[0] for where, image in zip((project, lids), images, strict=True)]
    paths = [f"/api/v1/images/{image}/annotations" for image in images]
    paths += [f"/api/v1/annotations/{line['annotation']}" for line in lines]
    assert [alice.api.get(path).status_code for path in paths] == [200] * 4

    alice.api.delete(f"/api/v1/images/{images[0]}")
    alice.api.delete(f"/api/v1/projects/{lids}")

    missing = alice.api.get(f"/api/v1/annotations/{MISSING}")
    answers = [alice.api.get(path) for path in paths]
    assert [(answer.status_code, answer.content) for answer in answers] == [(404, missing.content)] * 4
    assert refused(alice, project, said(images[0]))["code"] == "unknown_image"
    assert post(alice, f"projects/{lids}/annotations", {"annotations": [said(images[1])]}).status_code == 404


@pytest.mark.parametrize("labelled", [True, False])
def test_filter_finds_what_is_labelled_and_what_is_not(alice: Person, project: str, labelled: bool) -> None:
    images = ready(alice, project, 0, 1, 2)
    post(alice, f"projects/{project}/images/register", {"files": [described(3)]})
    annotated(alice, project, said(images[0]), said(images[2]))

    path = f"/api/v1/projects/{project}/images?labelled={str(labelled).lower()}"
    answers = [alice.api.get(query).json()["results"] for query in (path, f"{path}&status=READY")]
    found, ready_ones = ([image["filename"] for image in answer] for answer in answers)

    assert found == (["2.jpg", "0.jpg"] if labelled else ["3.jpg", "1.jpg"])
    assert ready_ones == (["2.jpg", "0.jpg"] if labelled else ["1.jpg"])
