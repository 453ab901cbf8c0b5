"""Keyset pagination: every row once, forth and back, without COUNT or OFFSET."""

import base64
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from tenants.ids import uuid7
from tenants.scope import tenant_scope
from tests.cast import Cast, Person

LIST = "/api/v1/projects"


def furnish(person: Person, rows: int) -> list[str]:
    """Makes projects; their ids, newest first."""
    with tenant_scope(person.tenant.id):
        made = [Project(name=f"Project {uuid7()}", kind="DETECTION") for _ in range(rows)]
        Project.objects.bulk_create(made)
    return [str(project.id) for project in reversed(made)]


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["results"]]


def follow(person: Person, address: str | None, way: str = "next") -> list[Any]:
    """The pages from an address on."""
    pages: list[Any] = []
    while address:
        answer = person.api.get(address)
        assert answer.status_code == 200, answer.content
        pages.append(answer.json())
        address = pages[-1][way]
        assert len(pages) < 20
    return pages


def test_three_pages_forth_and_back_show_each_row_once(cast: Cast) -> None:
    newest_first = furnish(cast.alice, 5)
    # A last page that is full, and others that are not.
    for _ in range(4):
        newest_first = furnish(cast.alice, 1) + newest_first
        forth = follow(cast.alice, f"{LIST}?limit=3")

        assert [ids(page) for page in forth] == [
            newest_first[start : start + 3] for start in range(0, len(newest_first), 3)
        ]
        assert forth[0]["previous"] is None
        assert forth[-1]["next"] is None

        back = follow(cast.alice, forth[-1]["previous"], "previous")
        assert [ids(page) for page in back] == [ids(page) for page in forth[-2::-1]]
        assert back[-1]["previous"] is None
        again = follow(cast.alice, back[-1]["next"])
        assert [ids(page) for page in again] == [ids(page) for page in forth[1:]]


def test_an_empty_list_and_a_full_page_have_no_links(cast: Cast) -> None:
    assert cast.alice.api.get(LIST).json() == {"next": None, "previous": None, "results": []}
    furnish(cast.alice, 3)
    page = cast.alice.api.get(f"{LIST}?limit=3").json()

    assert (len(page["results"]), page["next"], page["previous"]) == (3, None, None)


def test_rows_that_come_and_go_between_pages_are_not_shown_twice_or_skipped(cast: Cast) -> None:
    newest_first = furnish(cast.alice, 6)
    first = cast.alice.api.get(f"{LIST}?limit=2").json()
    furnish(cast.alice, 3)
    with tenant_scope(cast.alice.tenant.id):
        Project.objects.filter(id=newest_first[1]).delete()

    rest = [row for page in follow(cast.alice, first["next"]) for row in ids(page)]
    assert rest == newest_first[2:]


def test_each_page_is_one_query_without_count_or_offset(cast: Cast) -> None:
    furnish(cast.alice, 9)
    first = cast.alice.api.get(f"{LIST}?limit=3").json()
    second = cast.alice.api.get(first["next"]).json()
    asked = []
    for address in (f"{LIST}?limit=3", first["next"], second["next"], second["previous"]):
        with CaptureQueriesContext(connection) as said:
            cast.alice.api.get(address)
        asked.append([query["sql"] for query in said.captured_queries if "projects_project" in query["sql"]])

    for statements in asked:
        assert len(statements) == 1
        (sql,) = statements
        assert "LIMIT 4" in sql
        assert "OFFSET" not in sql
        assert "COUNT(" not in sql.upper()
        assert 'ORDER BY "projects_project"."id"' in sql


def test_links_keep_what_else_was_asked(cast: Cast) -> None:
    furnish(cast.alice, 3)
    link = cast.alice.api.get(f"{LIST}?limit=1").json()["next"]

    query = parse_qs(urlsplit(link).query)
    assert query.keys() == {"limit", "cursor"}
    assert query["limit"] == ["1"]
    assert link.startswith("http://testserver/api/v1/projects?")


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "501", "1000000", "", "x", "1.5", "1e2", "٣", " 5", "5 ", "+5", "0" * 10, "0000000010000", "9" * 5000],
)
def test_a_limit_out_of_bounds_is_refused(limit: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.get(LIST, {"limit": limit})

    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_failed"
    assert answer.json()["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("limit", ["1", "500", "007"])
def test_a_limit_within_bounds_is_taken(limit: str, standing_cast: Cast) -> None:
    assert standing_cast.alice.api.get(LIST, {"limit": limit}).status_code == 200


def test_the_default_is_fifty_and_the_most_is_500(cast: Cast) -> None:
    furnish(cast.alice, 501)

    assert len(cast.alice.api.get(LIST).json()["results"]) == 50
    page = cast.alice.api.get(f"{LIST}?limit=500").json()
    assert len(page["results"]) == 500
    assert len(cast.alice.api.get(page["next"]).json()["results"]) == 1


def cursor(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "x",
        "====",
        "no cursor",
        "ünïcode",
        "\x00",
        cursor(b"n"),
        cursor(b"n" + b"0" * 15),
        cursor(b"n" + b"0" * 17),
        cursor(b"x" + b"0" * 16),
        cursor(b"N" + uuid.UUID(int=7).bytes),
        str(uuid.UUID(int=7)),
        "A" * 100_000,
    ],
)
def test_a_forged_cursor_is_refused(forged: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.get(LIST, {"cursor": forged})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "cursor"


def test_a_cursor_of_another_tenants_row_is_a_place_and_no_more(cast: Cast) -> None:
    """A cursor holds an id; with a foreign one, a list shows the reader's own rows older than it."""
    own = furnish(cast.alice, 2)
    foreign = furnish(cast.charlie, 2)
    newer = furnish(cast.alice, 1)
    for known in (foreign[0], str(uuid7())):
        page = cast.alice.api.get(LIST, {"cursor": cursor(b"n" + uuid.UUID(known).bytes)}).json()
        assert set(ids(page)) <= {*own, *newer}
    page = cast.alice.api.get(LIST, {"cursor": cursor(b"n" + uuid.UUID(foreign[0]).bytes)}).json()
    assert ids(page) == own


@pytest.mark.parametrize("name", ["members", "invitations", "keys", "audit", "jobs"])
def test_every_list_is_paginated_alike(name: str, standing_cast: Cast) -> None:
    address = f"/api/v1/{name}"
    page = standing_cast.alice.api.get(f"{address}?limit=1").json()

    assert page.keys() == {"next", "previous", "results"}
    assert len(page["results"]) <= 1
    if name != "jobs":
        found = [row for each in follow(standing_cast.alice, f"{address}?limit=2") for row in ids(each)]
        assert found == sorted(set(found), reverse=True)
        assert len(found) > 3
    assert standing_cast.alice.api.get(f"{address}?limit=0").status_code == 400
