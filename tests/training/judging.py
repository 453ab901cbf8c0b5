"""Projects whose images have one class each, at work: as `making` does for detection."""

from collections.abc import Sequence

import pytest

from tests.cast import Person
from tests.projects.files import photograph
from tests.projects.uploading import post
from tests.projects.working import Hand
from tests.training.computing import Quick
from tests.training.making import CLASSES, Works


def works_of(person: Person, kind: str, hand: Hand, computer: Quick) -> Works:
    """A project of the kind with the two classes, without images."""
    project = str(post(person, "projects", {"name": kind.title(), "kind": kind}).json()["id"])
    for label in CLASSES:
        assert post(person, f"projects/{project}/classes", {"name": label}).status_code == 201
    return Works(person, project, hand, computer)


def say(works: Works, *labels: str | None) -> list[str]:
    """READY images that show these, None for a good one; their ids."""
    images = [
        works.ready(photograph(f"{works.project} {number} {label}", "PNG")) for number, label in enumerate(labels)
    ]
    items = [{"image": image, "class": label} for image, label in zip(images, labels, strict=True)]
    answer = post(works.person, f"projects/{works.project}/annotations", {"annotations": items})
    assert [line["status"] for line in answer.json()["results"]] == ["CREATED"] * len(labels), answer.content
    return images


def frozen(works: Works, labels: Sequence[str | None]) -> list[str]:
    """The same, and a READY snapshot of them."""
    images = say(works, *labels)
    works.freeze()
    return images


@pytest.fixture
def classifying(alice: Person, hand: Hand, computer: Quick) -> Works:
    return works_of(alice, "CLASSIFICATION", hand, computer)


@pytest.fixture
def anomalous(alice: Person, hand: Hand, computer: Quick) -> Works:
    return works_of(alice, "ANOMALY", hand, computer)
