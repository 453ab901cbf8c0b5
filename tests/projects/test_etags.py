"""What two people edit: the second learns that the first was there, and undoes nothing unseen."""

from functools import partial
from typing import Any

import pytest

from tests.cast import Cast, Person
from tests.projects.labelling import annotated, book, box, ready, said
from tests.tenants.api.test_problems import problem
from tests.tenants.threads import together


@pytest.fixture
def things(alice: Person, project: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Address, and a change, of one of each."""
    (dent,) = book(alice, project, "dent")
    (image,) = ready(alice, project, 0)
    return {
        "project": (f"/api/v1/projects/{project}", {"description": "changed"}),
        "class": (f"/api/v1/classes/{dent}", {"rule": "longer than 1 mm"}),
        "image": (f"/api/v1/images/{image}", {"split": "TEST"}),
    }


KINDS = ["project", "class", "image"]
Things = dict[str, tuple[str, dict[str, Any]]]


def patch(person: Person, address: str, change: dict[str, Any], tag: str) -> Any:
    return person.api.patch(address, change, format="json", HTTP_IF_MATCH=tag)


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_it_already_gets_no_second_copy(kind: str, alice: Person, things: Things) -> None:
    address, change = things[kind]
    first = alice.api.get(address)
    tag = first.headers["ETag"]
    assert tag == alice.api.get(address).headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert tag.startswith('"')  # strong

    for held in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = alice.api.get(address, HTTP_IF_NONE_MATCH=held)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag), held
    assert alice.api.head(address, HTTP_IF_NONE_MATCH=tag).status_code == 304
    assert alice.api.get(address, HTTP_IF_NONE_MATCH='"other"').status_code == 200
    alice.api.patch(address, change, format="json")
    changed = alice.api.get(address, HTTP_IF_NONE_MATCH=tag)
    assert (changed.status_code, changed.headers["ETag"] == tag) == (200, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_what_one_has_read(kind: str, alice: Person, things: Things) -> None:
    address, change = things[kind]
    tag = alice.api.get(address).headers["ETag"]
    answer = patch(alice, address, change, tag)

    assert answer.status_code == 200, answer.content
    read = alice.api.get(address)
    assert (answer.headers["ETag"], answer.json()) == (read.headers["ETag"], read.json())
    # The first tag is of the past now: nothing is changed, or deleted, by it.
    for late in (patch(alice, address, change, tag), alice.api.delete(address, HTTP_IF_MATCH=tag)):
        assert "Read it again" in problem(late, 412, "precondition_failed")["hint"]
        assert "ETag" not in late.headers
    assert alice.api.get(address).headers["ETag"] == answer.headers["ETag"]
    assert alice.api.delete(address, HTTP_IF_MATCH=answer.headers["ETag"]).status_code == 204


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tag", ['"nonsense"', "nonsense", "", "weak"])
def test_a_tag_of_nothing_changes_nothing(tag: str, kind: str, alice: Person, things: Things) -> None:
    address, change = things[kind]
    there = alice.api.get(address)
    tag = f"W/{there.headers['ETag']}" if tag == "weak" else tag  # If-Match compares strongly (RFC 9110 §13.1.1)
    assert patch(alice, address, change, tag).status_code == 412
    assert alice.api.get(address).json() == there.json()


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_there_may_be_asked_for(kind: str, alice: Person, things: Things) -> None:
    address, change = things[kind]
    assert patch(alice, address, change, "*").status_code == 200
    assert patch(alice, address, {}, '"nonsense"').status_code == 412
    assert alice.api.delete(address, HTTP_IF_MATCH="*").status_code == 204
    problem(patch(alice, address, change, "*"), 404, "not_found")
    problem(patch(alice, address, change, '"nonsense"'), 404, "not_found")


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_at_the_same_moment_one_is_told(kind: str, alice: Person, things: Things) -> None:
    address, change = things[kind]
    other = change | {name: "other" for name in change if name != "split"}
    other |= {"split": "VALIDATION"} if "split" in change else {}
    tag = alice.api.get(address).headers["ETag"]
    answers: list[Any] = together([partial(patch, alice, address, body, tag) for body in (change, other) * 4])
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]


def test_what_goes_on_by_itself_stops_nobody(alice: Person, things: Things, project: str) -> None:
    """Images arrive and are labelled while the project's text is edited; a copy of it is stale nevertheless."""
    address, change = things["project"]
    book_address, rule = things["class"]
    tags = [alice.api.get(place).headers["ETag"] for place in (address, book_address)]
    (image,) = ready(alice, project, 1)
    annotated(alice, project, said(image, box("dent")))

    for place, tag in zip((address, book_address), tags, strict=True):
        assert alice.api.get(place, HTTP_IF_NONE_MATCH=tag).status_code == 200
    assert patch(alice, address, change, tags[0]).status_code == 200
    assert patch(alice, book_address, rule, tags[1]).status_code == 200


def test_an_annotation_is_an_edit_of_its_image(alice: Person, things: Things, project: str) -> None:
    address, change = things["image"]
    tag = alice.api.get(address).headers["ETag"]
    annotated(alice, project, said(address.rpartition("/")[2], box("dent")))
    assert patch(alice, address, change, tag).status_code == 412


def test_the_versions_of_an_annotation(alice: Person, things: Things, project: str) -> None:
    address, _ = things["image"]
    listed = f"{address}/annotations"
    tag = alice.api.get(listed).headers["ETag"]
    assert alice.api.get(listed, HTTP_IF_NONE_MATCH=tag).status_code == 304
    annotated(alice, project, said(address.rpartition("/")[2], box("dent")))
    assert alice.api.get(listed, HTTP_IF_NONE_MATCH=tag).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_another_tenants_things_have_no_tag(kind: str, cast: Cast, things: Things) -> None:
    address, change = things[kind]
    tag = cast.alice.api.get(address).headers["ETag"]
    for held in (tag, "*"):
        answer = cast.charlie.api.get(address, HTTP_IF_NONE_MATCH=held)
        assert (answer.status_code, "ETag" in answer.headers) == (404, False)
        assert patch(cast.charlie, address, change, held).status_code == 404
        assert cast.charlie.api.delete(address, HTTP_IF_MATCH=held).status_code == 404
