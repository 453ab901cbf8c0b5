"""The page of one photograph: what it shows to whom, and where it leads."""

import html
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from projects.models import DefectClass, Image
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.labelled import label, labelled, ready
from tests.projects.labelling import annotated, book
from tests.projects.uploading import post

Queries = Callable[[], AbstractContextManager[list[str]]]
DENT = ("dent", 10.123456789, 20.1, 30.700000000000003, 40.9)


@pytest.fixture
def image(alice: Person, project: str) -> str:
    book(alice, project, "dent", "scratch")
    return labelled(alice, project, "part.jpg", DENT, metadata={"camera": "3", "part": "A-17"})


def shown(person: Person, image: str, query: str = "", browser: Client | None = None) -> tuple[str, dict[str, Any]]:
    """The page, and what it gives its script; nothing where there is nothing to draw."""
    answer = (browser or person.web).get(person.page(f"images/{image}{query}"))
    assert answer.status_code == 200, answer.content
    page = html.unescape(answer.content.decode())
    given = re.search(r'<script id="drawn" type="application/json">(.*?)</script>', answer.content.decode())
    return page, json.loads(given[1]) if given else {}


def test_boxes_come_to_the_script_as_they_are_to_the_last_digit(alice: Person, project: str, image: str) -> None:
    page, drawn = shown(alice, image)
    dent, scratch = drawn["classes"]
    assert (dent["name"], dent["deleted"], scratch["name"]) == ("dent", False, "scratch")
    assert drawn["boxes"] == [{"class": dent["id"], "bbox": list(DENT[1:])}]
    assert (drawn["project"], drawn["image"], drawn["number"]) == (project, image, 1)
    assert (drawn["width"], drawn["height"], drawn["mayLabel"]) == (640, 480, True)
    for words in ("part.jpg", "A-17", "camera", "1 box", 'data-author="Alice"'):
        assert words in page


def test_who_may_not_label_gets_no_tools(cast: Cast, image: str) -> None:
    for person, labels, edits in ((cast.alice, True, True), (cast.bob, True, False), (cast.vera, False, False)):
        page, drawn = shown(person, image)
        assert drawn["mayLabel"] is labels
        assert ('data-do="save"' in page, "data-edit" in page) == (labels, edits)


def test_other_tenants_see_nothing(cast: Cast, image: str) -> None:
    missing = cast.charlie.web.get(cast.charlie.page("images/00000000-0000-7000-8000-000000000000"))
    foreign = cast.charlie.web.get(cast.charlie.page(f"images/{image}"))
    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert cast.charlie.web.get(cast.alice.page(f"images/{image}")).status_code == 404
    answer = Client().get(cast.alice.page(f"images/{image}"))
    assert (answer.status_code, answer.headers["Location"].startswith("/sign-in")) == (302, True)


def test_a_class_that_was_deleted_is_still_shown_on_its_boxes(alice: Person, image: str) -> None:
    with tenant_scope(alice.tenant.id):
        gone = str(DefectClass.objects.get(name="dent").id)
    assert alice.api.delete(f"/api/v1/classes/{gone}").status_code == 204
    page, drawn = shown(alice, image)
    assert [(label["name"], label["deleted"]) for label in drawn["classes"]] == [("scratch", False), ("dent", True)]
    assert drawn["boxes"][0]["class"] == gone
    assert f'value="{gone}"' not in page  # nothing new is drawn of it


def test_neighbors_are_those_of_the_filter_and_carry_it_along(alice: Person, project: str, image: str) -> None:
    others = [ready(alice, project, f"{number}.jpg", split="TEST", metadata={"line": "B"}) for number in range(3)]
    trained = ready(alice, project, "t.jpg", metadata={"line": "B"})
    query = "?split=TEST&meta.line=B&cursor=bm90aGluZw"

    page, _ = shown(alice, others[1], query)
    carried = "?split=TEST&meta.line=B"
    assert f'href="{alice.page(f"images/{others[2]}")}{carried}"' in page
    assert f'href="{alice.page(f"images/{others[0]}")}{carried}"' in page
    page, _ = shown(alice, trained, query)  # not in the list itself; it goes on from where it would stand
    assert f'href="{alice.page(f"images/{others[2]}")}{carried}"' in page
    assert image not in page
    page, _ = shown(alice, trained, "?class=no-such-thing")
    assert f"images/{others[2]}?" in page
    page, _ = shown(alice, image)
    assert f"images/{others[0]}" in page
    assert 'id="next" class="btn btn-sm join-item" rel="next" title="Next image ( ] )" aria-disabled' in page


@pytest.mark.parametrize(
    ("status", "words"),
    [("AWAITING", "Its bytes have not arrived"), ("ARRIVED", "is being checked"), ("FAILED", "Save it anew")],
)
def test_an_image_without_a_file_says_why_and_what_to_do(alice: Person, project: str, status: str, words: str) -> None:
    image = ready(alice, project, "part.jpg")
    error = {"code": "unreadable", "message": "It is no picture.", "hint": "Save it anew as JPEG."}
    with tenant_scope(alice.tenant.id):
        Image.objects.filter(id=image).update(status=status, error=error if status == "FAILED" else None)
    page, drawn = shown(alice, image)
    assert words in page
    assert (drawn, f'data-status="{status}"' in page) == ({}, True)
    again = f'mt-4" href="{alice.page(f"projects/{project}/upload")}"' in page
    assert again is (status != "ARRIVED")


def sorting(person: Person, kind: str = "CLASSIFICATION") -> str:
    return str(post(person, "projects", {"name": "Sorting", "kind": kind}).json()["id"])


def choices(page: str) -> dict[str, bool]:
    """Name → whether it is what the image shows, of the buttons of the page."""
    found = re.findall(r'data-name="([^"]*)" aria-pressed="(true|false)"', page)
    return {name: pressed == "true" for name, pressed in found}


def test_projects_without_boxes_have_choices_and_no_editor(alice: Person) -> None:
    made = sorting(alice)
    (scrap, _) = book(alice, made, "scrap", "rust")
    image = ready(alice, made, "part.jpg")
    page, drawn = shown(alice, image)
    assert (drawn["mayLabel"], drawn["boxes"], drawn["number"]) == (False, [], 0)
    assert [mark in page for mark in ('id="boxes"', 'id="predictions"', "data-restore", 'data-do="save"')] == [
        False
    ] * 4
    assert choices(page) == {"Good part": False, "scrap": False, "rust": False}
    assert "Not labelled" in page

    annotated(alice, made, {"image": image, "class": scrap})
    page, drawn = shown(alice, image)
    assert choices(page) == {"Good part": False, "scrap": True, "rust": False}
    assert (drawn["boxes"], drawn["number"]) == ([], 1)
    annotated(alice, made, {"image": image, "class": None})
    page, _ = shown(alice, image)
    assert choices(page) == {"Good part": True, "scrap": False, "rust": False}
    assert re.findall(r'max-w-32 truncate text-xs">([^<]*)<', page) == ["good", "scrap"]


def test_what_an_upload_said_and_an_empty_label_book_are_told(alice: Person) -> None:
    made = sorting(alice, "ANOMALY")
    image = ready(alice, made, "part.jpg")
    page, _ = shown(alice, image)
    assert choices(page) == {"Good part": False}
    assert "The label book is empty" in page
    (scrap,) = book(alice, made, "scrap")
    assert alice.api.patch(f"/api/v1/images/{image}", {"classes": [scrap]}, format="json").status_code == 200
    page, _ = shown(alice, image)
    assert ("Uploaded as" in page, choices(page)) == (True, {"Good part": False, "scrap": False})


def test_a_class_that_was_deleted_can_be_seen_and_not_chosen(alice: Person) -> None:
    made = sorting(alice)
    (scrap,) = book(alice, made, "scrap")
    image = ready(alice, made, "part.jpg")
    annotated(alice, made, {"image": image, "class": scrap})
    assert alice.api.delete(f"/api/v1/classes/{scrap}").status_code == 204
    page, _ = shown(alice, image)
    assert re.search(r'data-name="scrap" aria-pressed="true" disabled', page)


def test_who_may_not_label_is_told_what_it_shows(cast: Cast) -> None:
    made = sorting(cast.alice)
    book(cast.alice, made, "scrap")
    image = ready(cast.alice, made, "part.jpg")
    assert "Nobody has labelled this image yet" in shown(cast.vera, image)[0]
    annotated(cast.alice, made, {"image": image, "class": "scrap"})
    page, _ = shown(cast.vera, image)
    assert ('id="choices"' in page, choices(page), "scrap" in page) == (False, {}, True)


def test_the_pages_of_such_a_project_do_not_speak_of_boxes(alice: Person) -> None:
    made = sorting(alice)
    book(alice, made, "scrap")
    annotated(alice, made, {"image": ready(alice, made, "part.jpg"), "class": "scrap"})
    for place in ("", "/images", "/snapshots"):
        answer = alice.web.get(alice.page(f"projects/{made}{place}"))
        words = re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", answer.content.decode()))
        assert (answer.status_code, re.findall(r"\b[Bb]ox(?:es)?\b", words)) == (200, []), place


def test_the_page_asks_as_many_queries_for_three_boxes_and_versions_as_for_one(
    alice: Person, project: str, image: str, queries: Queries
) -> None:
    ready(alice, project, "next.jpg")
    browser = alice.web
    with queries() as at_one:
        shown(alice, image, browser=browser)
    label(alice, image, DENT, ("scratch", 1, 2, 3, 4))
    label(alice, image, DENT, ("scratch", 1, 2, 3, 4), ("dent", 5, 6, 7, 8))
    with queries() as at_three:
        _, drawn = shown(alice, image, browser=browser)
    assert (len(drawn["boxes"]), drawn["number"]) == (3, 3)
    own = [sql for sql in at_three if "set_config" not in sql and sql not in ("BEGIN", "COMMIT")]
    assert len(at_three) == len(at_one)
    # Session, user, seat, member, tenant; image, project, versions, boxes, classes, neighbors.
    assert len(own) == 11
    assert not [sql for sql in own if "COUNT(" in sql or "OFFSET" in sql]


def test_its_doors_take_the_session_and_its_token_alone(cast: Cast, project: str, image: str) -> None:
    path = cast.alice.page(f"api/projects/{project}/annotations")
    body = json.dumps({"annotations": [{"image": image, "boxes": [], "if_number": 1}]})
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.alice.seat.member.user)
    page = browser.get(cast.alice.page(f"images/{image}")).content.decode()
    found = re.search(r'data-csrf="(\w+)"', page)
    assert found
    bare = browser.post(path, body, content_type="application/json")
    # By its code the page's scripts know that a fresh token helps.
    assert (bare.status_code, bare.json()["code"]) == (403, "page_too_old")
    sent = browser.post(path, body, content_type="application/json", headers={"X-CSRFToken": found[1]})
    assert sent.json()["results"][0]["status"] == "CREATED"
    for person, status in ((cast.vera, 403), (cast.charlie, 404)):
        answer = person.web.post(path, body, content_type="application/json")
        assert answer.status_code == status, answer.content
    assert cast.alice.api.post(path, body, content_type="application/json").status_code in (401, 403)
    again = post(cast.bob, f"projects/{project}/annotations", json.loads(body) | {})
    assert again.json()["results"][0]["status"] == "UNCHANGED"


def test_projects_do_not_mix(alice: Person, image: str) -> None:
    other = project_of(alice, "Lids")
    strange = ready(alice, other, "lid.jpg")
    page, drawn = shown(alice, strange)
    assert drawn["project"] == other
    assert (image in page, drawn["classes"]) == (False, [])
