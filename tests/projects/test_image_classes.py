"""Projects whose images have one class each, or none: annotated by `class`, stored as one box that covers the image."""

from typing import Any

import pytest

from projects.models import Box
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.archives.zips import coco_zip
from tests.projects.importing import checked, committed, labels_of, problems, references, results
from tests.projects.labelling import annotated, book, box, counters, ready, refused, said, versions
from tests.projects.uploading import post
from tests.projects.working import Hand

KINDS = ("CLASSIFICATION", "ANOMALY")


def of_kind(person: Person, kind: str) -> str:
    return str(post(person, "projects", {"name": "Lids", "kind": kind}).json()["id"])


def shows(image: str, label: str | None, **more: Any) -> dict[str, Any]:
    return {"image": image, "class": label, **more}


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_is_said_of_the_whole_image(alice: Person, kind: str) -> None:
    project = of_kind(alice, kind)
    dent, pit = book(alice, project, "dent", "pit")
    first, second, third = ready(alice, project, 0, 1, 2)

    lines = annotated(alice, project, shows(first, "dent"), shows(second, pit), shows(third, None))

    assert [(line["status"], line["number"], line["warnings"]) for line in lines] == [("CREATED", 1, [])] * 3
    (shown,) = versions(alice, first)
    assert (shown["class"], shown["boxes"]) == (dent, [{"class": dent, "name": "dent", "bbox": [0, 0, 100, 80]}])
    assert [(versions(alice, image)[0]["class"]) for image in (second, third)] == [pit, None]
    assert versions(alice, third)[0]["boxes"] == []
    assert counters(alice, project) == {"labelled": 3, "dent": (1, 1), "pit": (1, 1)}
    with tenant_scope(alice.tenant.id):
        assert Box.objects.count() == 2


def test_a_correction_is_a_version_and_the_same_again_is_none(alice: Person) -> None:
    project = of_kind(alice, "CLASSIFICATION")
    book(alice, project, "dent", "pit")
    (image,) = ready(alice, project, 0)
    annotated(alice, project, shows(image, "dent"))

    (again,) = annotated(alice, project, shows(image, "dent", if_number=0))
    (corrected,) = annotated(alice, project, shows(image, "pit", if_number=1))
    late = refused(alice, project, shows(image, None, if_number=1))

    assert (again["status"], corrected["status"], corrected["number"]) == ("UNCHANGED", "CREATED", 2)
    assert late["code"] == "conflict"
    assert [len(version["boxes"]) for version in versions(alice, image)] == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_refused_item_by_item(alice: Person, kind: str) -> None:
    project = of_kind(alice, kind)
    book(alice, project, "dent")
    first, second = ready(alice, project, 0, 1)

    wrong, right = annotated(alice, project, said(first, box("dent")), shows(second, "dent"))

    assert (wrong["status"], wrong["error"]["code"]) == ("REJECTED", "boxes_not_for_kind")
    assert wrong["error"]["message"].startswith("0.jpg: ")
    assert kind in wrong["error"]["message"]
    assert "`class`" in wrong["error"]["hint"]
    assert right["status"] == "CREATED"
    assert versions(alice, first) == []
    assert refused(alice, project, said(first))["code"] == "boxes_not_for_kind"


def test_a_class_is_refused_where_boxes_are_drawn(alice: Person, project: str) -> None:
    book(alice, project, "dent")
    first, second = ready(alice, project, 0, 1)

    wrong, right = annotated(alice, project, shows(first, "dent"), said(second, box("dent")))

    assert (wrong["status"], wrong["error"]["code"]) == ("REJECTED", "class_not_for_kind")
    assert "DETECTION" in wrong["error"]["message"]
    assert right["status"] == "CREATED"
    assert refused(alice, project, shows(first, None))["code"] == "class_not_for_kind"
    assert "class" not in versions(alice, second)[0]


@pytest.mark.parametrize(
    ("item", "code", "words"),
    [
        ({"class": "crack"}, "unknown_class", "no class 'crack'"),
        ({"class": 3}, "unknown_class", "`class` must be a text, or null"),
        ({"class": ["dent"]}, "unknown_class", "`class` must be a text, or null"),
        ({"class": "dent", "boxes": []}, "validation_failed", "both `boxes` and `class`"),
        ({}, "validation_failed", "`boxes` must be a list"),
        ({"class": "dent", "if_number": "1"}, "validation_failed", "`if_number` must be a whole number"),
    ],
)
def test_what_cannot_be_meant_is_told_in_words(alice: Person, item: dict[str, Any], code: str, words: str) -> None:
    project = of_kind(alice, "ANOMALY")
    book(alice, project, "dent")
    (image,) = ready(alice, project, 0)

    error = refused(alice, project, {"image": image, **item})

    assert error["code"] == code
    assert words in error["message"]
    assert versions(alice, image) == []


def test_null_boxes_beside_a_class_are_none(alice: Person) -> None:
    project = of_kind(alice, "ANOMALY")
    (image,) = ready(alice, project, 0)
    (line,) = annotated(alice, project, shows(image, None, boxes=None))
    assert line["status"] == "CREATED"


def test_an_archive_s_boxes_of_one_class_become_the_image_s(alice: Person, hand: Hand) -> None:
    project = of_kind(alice, "CLASSIFICATION")
    two = [("dent", 1, 2, 10, 12), ("dent", 40, 2, 100, 12)]
    drawn = {"a.png": two, "good.png": [], "both.png": [("dent", 1, 2, 10, 12), ("scratch", 20, 2, 10, 12)]}
    data = coco_zip(drawn)

    row = checked(alice, project, hand, data)
    done = committed(alice, project, hand, data)

    told = ("images", "labelled", "good", "unlabelled", "boxes")
    assert [row["report"][name] for name in told] == [3, 2, 1, 1, 1]
    assert problems(row)["several_classes"] == 1
    assert "box_clipped" not in problems(row)
    assert references(row, "several_classes") == [("annotations.json", "")]
    assert (done["result"]["labelled"], done["result"]["boxes"], done["result"]["errors"]) == (2, 1, 0)
    assert labels_of(alice, project) == {"a.png": [("dent", 0, 0, 48, 36)], "good.png": [], "both.png": None}
    warnings = results(alice, done["id"])["images/both.png"]["warnings"]
    assert [warning["code"] for warning in warnings] == ["several_classes"]
    assert "dent, scratch" in warnings[0]["message"]


def test_the_same_archive_again_says_nothing_new(alice: Person, hand: Hand) -> None:
    project = of_kind(alice, "ANOMALY")
    data = coco_zip({"a.png": [("dent", 1, 2, 10, 12)], "good.png": []})
    committed(alice, project, hand, data)

    again = checked(alice, project, hand, data)
    done = committed(alice, project, hand, data)

    assert "existing_differs" not in problems(again)
    assert done["result"]["images"] == {"UNCHANGED": 2}
