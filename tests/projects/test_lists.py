"""Lists cost the same however many rows they show: as many queries, no COUNT, no OFFSET."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.cast import Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.uploading import post

Queries = Callable[[], AbstractContextManager[list[str]]]


def read(alice: Person, queries: Queries, path: str) -> tuple[int, int]:
    """How many rows a list shows, and how many queries it asks; none of them counts or skips rows."""
    with queries() as sql:
        answer = alice.api.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    for statement in sql:
        assert not re.search(r"\b(COUNT|OFFSET)\b", statement, re.IGNORECASE), statement
    return len(answer.json()["results"]), len(sql)


def queries_around(alice: Person, queries: Queries, project: str) -> int:
    """How many queries any request asks beside its own: who asks, the scope. Reading a project asks one more."""
    alice.api.get(f"/api/v1/projects/{project}")  # the first request of a minute notes that the key was used
    with queries() as sql:
        alice.api.get(f"/api/v1/projects/{project}")
    return len(sql) - 1


def furnish(alice: Person, project: str, first: int, last: int) -> None:
    """Images of these numbers, each of one more class, split, name and job; and a project and an event each."""
    for number in range(first, last):
        post(alice, f"projects/{project}/classes", {"name": f"class {number}"})
        project_of(alice, f"Project {number}")
        classes = [f"class {shown}" for shown in range(number + 1)]
        item = described(number, filename="same.jpg", split="TEST", metadata={"camera": "3"}, classes=classes)
        registered = post(alice, f"projects/{project}/images/register", {"files": [item]}).json()["results"]
        assert registered[0]["status"] == "AWAITING"


def test_lists_ask_as_many_queries_at_three_rows_as_at_one(alice: Person, project: str, queries: Queries) -> None:
    furnish(alice, project, 0, 1)
    classes = alice.api.get(f"/api/v1/projects/{project}/classes").json()["results"]
    images = f"projects/{project}/images"
    # Beside who asks and the scope: the project, the filter's own row, the page.
    expected = {
        f"projects/{project}/classes": 2,
        images: 2,
        f"{images}?status=AWAITING&split=TEST&filename=same.jpg&meta.camera=3": 2,
        f"{images}?class={classes[0]['id']}": 3,
    }
    around = queries_around(alice, queries, project)

    at_one = {path: read(alice, queries, path) for path in expected}
    furnish(alice, project, 1, 3)
    at_three = {path: read(alice, queries, path) for path in expected}

    assert at_one == {path: (1, around + own) for path, own in expected.items()}
    assert at_three == {path: (3, around + own) for path, own in expected.items()}


def test_list_of_projects_asks_one_query_of_its_own(alice: Person, project: str, queries: Queries) -> None:
    around = queries_around(alice, queries, project)
    at_one = read(alice, queries, "projects")
    for name in ("Lids", "Bolts"):
        project_of(alice, name)

    assert (at_one, read(alice, queries, "projects")) == ((1, around + 1), (3, around + 1))


def test_pages_meet_without_gap_or_overlap(alice: Person, project: str, queries: Queries) -> None:
    files = [described(number, split="TEST" if number % 2 else "TRAIN") for number in range(10)]
    lines = post(alice, f"projects/{project}/images/register", {"files": files}).json()["results"]
    newest_first = [line["image"] for line, file in zip(lines, files, strict=True) if file["split"] == "TEST"][::-1]

    path, pages, back = f"/api/v1/projects/{project}/images?split=TEST&limit=2", [], []
    while path:
        page = alice.api.get(path).json()
        pages.append([image["id"] for image in page["results"]])
        path, previous = page["next"], page["previous"]
    while previous:
        page = alice.api.get(previous).json()
        back.append([image["id"] for image in page["results"]])
        previous = page["previous"]

    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    assert back == [newest_first[2:4], newest_first[:2]]
    assert read(alice, queries, f"projects/{project}/images?limit=1") == read(
        alice, queries, alice.api.get(f"/api/v1/projects/{project}/images?limit=1").json()["next"].split("/api/v1/")[1]
    )
