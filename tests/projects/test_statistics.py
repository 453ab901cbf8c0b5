"""What a project holds, counted; and the lists of annotations."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.labelling import annotated, book, box, ready, said
from tests.projects.test_lists import queries_around, read
from tests.projects.uploading import post

MISSING = "00000000-0000-7000-8000-000000000000"
Queries = Callable[[], AbstractContextManager[list[str]]]


def test_statistics_count_images_labels_and_classes(alice: Person, project: str) -> None:
    dent, pit, burr = book(alice, project, "dent", "pit", "burr")
    train = ready(alice, project, 0, 1, 2, split="TRAIN")
    test = ready(alice, project, 3, 4, split="TEST")
    post(alice, f"projects/{project}/images/register", {"files": [described(5, split="VALIDATION")]})
    (gone,) = ready(alice, project, 6, split="TEST")
    annotated(alice, project, said(train[0], box("dent"), box("dent"), box("pit")), said(train[1]))
    annotated(alice, project, said(test[0], box("dent")), said(gone, box("pit")))
    alice.api.delete(f"/api/v1/images/{gone}")
    alice.api.delete(f"/api/v1/classes/{burr}")

    assert alice.api.get(f"/api/v1/projects/{project}/statistics").json() == {
        "images": {
            "total": 6,
            "by_status": {"AWAITING": 1, "ARRIVED": 0, "READY": 5, "FAILED": 0},
            "by_split": {"TRAIN": 3, "VALIDATION": 1, "TEST": 2},
        },
        "labelled": 3,
        "unlabelled": 2,
        "labelled_by_split": {"TRAIN": 2, "VALIDATION": 0, "TEST": 1},
        "classes": [
            {"id": dent, "name": "dent", "images": 2, "boxes": 3},
            {"id": pit, "name": "pit", "images": 1, "boxes": 1},
        ],
    }


def test_statistics_of_an_empty_project_are_noughts(alice: Person, project: str) -> None:
    found = alice.api.get(f"/api/v1/projects/{project}/statistics").json()

    assert (found["images"]["total"], found["labelled"], found["unlabelled"], found["classes"]) == (0, 0, 0, [])


def test_statistics_of_another_tenants_project_are_not_found(cast: Cast) -> None:
    theirs = project_of(cast.charlie, "Bolts")

    answers = [cast.alice.api.get(f"/api/v1/projects/{id_}/statistics") for id_ in (theirs, MISSING)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_versions_are_listed_page_by_page_newest_first(alice: Person, project: str) -> None:
    book(alice, project, "dent")
    (image,) = ready(alice, project, 0)
    for number in range(5):
        annotated(alice, project, said(image, box("dent", number, 0, 5, 5)))

    pages, path = [], f"/api/v1/images/{image}/annotations?limit=2"
    while path:
        page = alice.api.get(path).json()
        pages.append([version["number"] for version in page["results"]])
        path = page["next"]

    assert pages == [[5, 4], [3, 2], [1]]


def test_page_of_versions_is_ten_whatever_is_asked(alice: Person, project: str) -> None:
    """Each may bring a thousand boxes."""
    book(alice, project, "dent")
    (image,) = ready(alice, project, 0)
    for number in range(12):
        annotated(alice, project, said(image, box("dent", number, 0, 5, 5)))
    path = f"/api/v1/images/{image}/annotations"

    for query in ("", "?limit=10", "?limit=11", "?limit=500"):
        first = alice.api.get(path + query).json()
        assert [version["number"] for version in first["results"]] == list(range(12, 2, -1)), query
        rest = alice.api.get(first["next"]).json()
        assert ([version["number"] for version in rest["results"]], rest["next"]) == ([2, 1], None)
        assert len(rest["results"][0]["boxes"]) == 1
    assert alice.api.get(f"{path}?limit=501").status_code == 400


def test_lists_ask_as_many_queries_at_three_rows_as_at_one(alice: Person, project: str, queries: Queries) -> None:
    book(alice, project, "dent")
    images = ready(alice, project, 0, 1, 2)
    path, labelled = f"images/{images[0]}/annotations", f"projects/{project}/images?labelled=true"
    around = queries_around(alice, queries, project)

    annotated(alice, project, said(images[0], box("dent")))
    at_one = {address: read(alice, queries, address) for address in (path, labelled)}
    for place in range(1, 3):
        boxes = [box("dent", number, place, 5, 5) for number in range(3)]
        annotated(alice, project, said(images[0], *boxes), said(images[place], *boxes))
    at_three = {address: read(alice, queries, address) for address in (path, labelled)}

    # The image, the page with authors, its boxes; the project, the page.
    assert at_one == {path: (1, around + 3), labelled: (1, around + 2)}
    assert at_three == {path: (3, around + 3), labelled: (3, around + 2)}
