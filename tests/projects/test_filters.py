"""Filters of the list of images: what they find, and what they refuse."""

import pytest

from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described, photograph
from tests.projects.uploading import bring, post

MISSING = "00000000-0000-7000-8000-000000000000"
UNUSABLE = {
    "status=DONE": "status",
    "status=ready": "status",
    "status=": "status",
    "split=EVAL": "split",
    "split=%00": "split",
    "labelled=yes": "labelled",
    "labelled=": "labelled",
    "class=dent": "class",
    "class=%00": "class",
    "job=1": "job",
    "filename=a%00b": "filename",
    "meta.camera=%00": "meta.camera",
    "meta.ca%00mera=1": "meta.camera",
    "sha256=abc": "sha256",
    "Status=READY": "Status",
    "limit=0": "limit",
    "limit=501": "limit",
    "limit=five": "limit",
    "limit=%C2%B2": "limit",
    "limit=99999999999999999999": "limit",
    "cursor=nonsense": "cursor",
    "cursor=%00": "cursor",
    "cursor=%F0%9F%98%80": "cursor",
}


def found(alice: Person, project: str, query: str) -> list[str]:
    """The names of the images a filter finds, oldest first."""
    answer = alice.api.get(f"/api/v1/projects/{project}/images?{query}")
    assert answer.status_code == 200, (query, answer.content)
    return [image["filename"] for image in answer.json()["results"]][::-1]


def test_metadata_filters_match_names_and_values_as_given(alice: Person, project: str) -> None:
    described_by: list[dict[str, object]] = [
        {"camera": "3", "lot": 5, "night": True, "gap": None, "mm": 0.25},
        {"camera": "30", "7": "seven", "a.b": "dotted", "größe": "groß & weit"},
        {"99999999999999999999": "far", "camera": 3},
    ]
    files = [described(number, metadata=given) for number, given in enumerate(described_by)]
    post(alice, f"projects/{project}/images/register", {"files": files})

    queries = {
        "meta.camera=3": ["0.jpg", "2.jpg"],
        "meta.lot=5": ["0.jpg"],
        "meta.lot=5&meta.camera=30": [],
        "meta.night=true": ["0.jpg"],
        "meta.mm=0.25": ["0.jpg"],
        "meta.gap=": [],
        "meta.7=seven": ["1.jpg"],
        "meta.0=3": [],
        "meta.99999999999999999999=far": ["2.jpg"],
        "meta.a.b=dotted": ["1.jpg"],
        "meta.größe=groß %26 weit": ["1.jpg"],
        "meta.=3": [],
        "meta.camera'%20OR%201=1": [],
    }
    assert {query: found(alice, project, query) for query in queries} == queries


def test_filters_by_split_name_and_class_combine(alice: Person, project: str) -> None:
    dent = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    post(alice, f"projects/{project}/classes", {"name": "pit"})
    files = [
        described(0, split="TEST", classes=["dent"]),
        described(1, split="TEST", classes=["pit", dent]),
        described(2, split="TRAIN", classes=[dent]),
        described(3, split="TEST", filename="0.jpg"),
    ]
    post(alice, f"projects/{project}/images/register", {"files": files})
    other = post(alice, f"projects/{project_of(alice, 'Lids')}/images/register", {"files": [described(0)]})
    assert other.json()["results"][0]["duplicate"] is False

    queries = {
        "split=TEST": ["0.jpg", "1.jpg", "0.jpg"],
        f"class={dent}": ["0.jpg", "1.jpg", "2.jpg"],
        f"class={dent}&split=TEST": ["0.jpg", "1.jpg"],
        f"class={dent}&split=TEST&filename=0.jpg": ["0.jpg"],
        "filename=0.jpg": ["0.jpg", "0.jpg"],
        "filename=0": [],
        "status=READY": [],
        "status=AWAITING&split=TRAIN": ["2.jpg"],
    }
    assert {query: found(alice, project, query) for query in queries} == queries


def test_filter_by_job_finds_what_it_ingests(alice: Person, project: str) -> None:
    first, second = (bring(alice, project, photograph(seed))[0] for seed in ("one", "two"))
    jobs = {image: alice.api.get(f"/api/v1/images/{image}").json()["job"] for image in (first, second)}

    assert jobs[first] != jobs[second]
    assert found(alice, project, f"job={jobs[first]}") == ["one.jpg"]
    assert found(alice, project, f"job={jobs[second]}&status=ARRIVED") == ["two.jpg"]


def test_unusable_filter_is_refused_by_name(alice: Person, project: str) -> None:
    for query, field in UNUSABLE.items():
        answer = alice.api.get(f"/api/v1/projects/{project}/images?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), query
        assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("name", ["class", "job"])
def test_foreign_and_missing_ids_are_the_same_404(cast: Cast, project: str, name: str) -> None:
    theirs = project_of(cast.charlie, "Bolts")
    if name == "class":
        foreign = post(cast.charlie, f"projects/{theirs}/classes", {"name": "dent"}).json()["id"]
    else:
        image = bring(cast.charlie, theirs, photograph())[0]
        foreign = cast.charlie.api.get(f"/api/v1/images/{image}").json()["job"]
    assert cast.charlie.api.get(f"/api/v1/projects/{theirs}/images?{name}={foreign}").status_code == 200

    answers = [cast.alice.api.get(f"/api/v1/projects/{project}/images?{name}={id_}") for id_ in (foreign, MISSING)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
