"""Annotations that cannot be meant: each gets words that say what to mend, and holds up no other."""

import math
import uuid
from typing import Any

import pytest

from projects.domain import annotations
from projects.domain.annotations import annotate
from projects.models import Image
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.labelling import annotated, book, box, counters, ready, refused, said, versions
from tests.projects.uploading import post

MISSING = "00000000-0000-7000-8000-000000000000"
# Of an image of 100 × 80 pixels: box → code, and what the message tells.
BAD_BOXES: dict[str, tuple[Any, str, str]] = {
    "negative width": ([10, 10, -5, 5], "bad_box", "-5 × 5 pixels is inverted or empty"),
    "inverted": ([50, 50, -40, -40], "bad_box", "-40 × -40 pixels is inverted or empty"),
    "no width": ([10, 10, 0, 5], "bad_box", "0 × 5 pixels is inverted or empty"),
    "right of the image": ([100, 10, 5, 5], "bad_box", "outside the image, which has 100 × 80 pixels"),
    "below the image": ([10, 80, 5, 5], "bad_box", "outside the image"),
    "left of the image": ([-20, 10, 20, 5], "bad_box", "outside the image"),
    "far away": ([-1e308, 10, 1e308, 5], "bad_box", "outside the image"),
    "beyond all numbers": ([1e308, 10, 1.7e308, 5], "bad_box", "outside the image"),
    "thin": ([10, 10, 0.5, 20], "too_small", "0.5 × 20 pixels"),
    "fractions of the size": ([0.25, 0.5, 0.1, 0.2], "too_small", "0.1 × 0.2 pixels"),
    "thin where it is inside": ([99.5, 10, 30, 30], "too_small", "0.5 × 30 pixels inside the image"),
    "three numbers": ([10, 10, 5], "bad_box", "four finite numbers"),
    "five numbers": ([10, 10, 5, 5, 0.9], "bad_box", "four finite numbers"),
    "texts": (["10", "10", "5", "5"], "bad_box", "four finite numbers"),
    "truths": ([True, True, True, True], "bad_box", "four finite numbers"),
    "nothing": (None, "bad_box", "four finite numbers"),
    "an object": ({"x": 1}, "bad_box", "four finite numbers"),
    "lists": ([[1], [1], [1], [1]], "bad_box", "four finite numbers"),
    "a number too long": ([10, 10, 5, 10**400], "bad_box", "four finite numbers"),
}


@pytest.fixture
def image(alice: Person, project: str) -> str:
    book(alice, project, "dent", "pit")
    return ready(alice, project, 0)[0]


@pytest.mark.parametrize("bad", BAD_BOXES)
def test_unusable_box_is_named_and_nothing_of_its_image_written(
    alice: Person, project: str, image: str, bad: str
) -> None:
    bbox, code, words = BAD_BOXES[bad]
    error = refused(alice, project, said(image, box("dent"), {"class": "pit", "bbox": bbox}))

    assert error["code"] == code
    assert error["message"].startswith("0.jpg: boxes[1]")
    assert words in error["message"]
    assert versions(alice, image) == []
    assert counters(alice, project) == {"labelled": 0, "dent": (0, 0), "pit": (0, 0)}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(alice: Person, project: str, image: str, number: float) -> None:
    """JSON has no NaN, but 1e999 is infinite when it is read."""
    for place in range(4):
        bbox = [10.0, 10.0, 5.0, 5.0]
        bbox[place] = number
        with tenant_scope(alice.tenant.id):
            (outcome,) = annotate(
                project_id=uuid.UUID(project),
                items=[said(image, {"class": "dent", "bbox": bbox})],
                by=alice.principal,
            )
        assert outcome.status == "REJECTED"
        assert outcome.error is not None
        assert outcome.error["code"] == "bad_box"
    path = f"/api/v1/projects/{project}/annotations"
    sent = f'{{"annotations": [{{"image": "{image}", "boxes": [{{"class": "dent", "bbox": [1, 1, 1e999, 5]}}]}}]}}'
    answer = alice.api.post(path, sent, content_type="application/json")
    assert answer.json()["results"][0]["error"]["code"] == "bad_box"
    whole = alice.api.post(path, sent.replace("1e999", "NaN"), content_type="application/json")
    assert (whole.status_code, whole.json()["code"]) == (400, "validation_failed")
    assert versions(alice, image) == []


def test_box_of_one_pixel_is_taken_with_a_warning(alice: Person, project: str, image: str) -> None:
    (line,) = annotated(alice, project, said(image, box("dent", 10, 10, 1, 1), box("dent"), box("pit", 99, 79, 1, 1)))

    assert line["status"] == "CREATED"
    (warning,) = line["warnings"]
    assert (warning["code"], warning["boxes"]) == ("faint_box", [0, 2])
    words = "are thinner than 2 pixels; check that they are in pixels."
    assert warning["message"] == f"0.jpg: 2 of its boxes {words}"


def test_warning_of_one_box_is_in_the_singular(alice: Person, project: str, image: str) -> None:
    (line,) = annotated(alice, project, said(image, box("dent", 99, 79, 1, 9), box("dent")))

    assert [warning["message"] for warning in line["warnings"]] == [
        "0.jpg: 1 of its boxes sticks out of the image of 100 × 80 pixels and was cut at its edge.",
        "0.jpg: 1 of its boxes is thinner than 2 pixels; check that it is in pixels.",
    ]


def test_box_that_sticks_out_is_cut_and_told(alice: Person, project: str, image: str) -> None:
    sticking = {
        (-10, -5, 30, 25): [0, 0, 20, 20],
        (90, 70, 30, 30): [90, 70, 10, 10],
        (-5, -5, 1000, 1e300): [0, 0, 100, 80],
        (0, 0, 100, 80): [0, 0, 100, 80],
    }
    (line,) = annotated(alice, project, said(image, *(box("dent", *bbox) for bbox in sticking)))

    (warning,) = line["warnings"]
    assert (warning["code"], warning["boxes"]) == ("box_clipped", [0, 1, 2])
    words = "stick out of the image of 100 × 80 pixels and were cut at its edge."
    assert warning["message"] == f"0.jpg: 3 of its boxes {words}"
    assert [drawn["bbox"] for drawn in versions(alice, image)[0]["boxes"]] == list(sticking.values())


def test_bad_item_holds_up_no_other(alice: Person, project: str, image: str) -> None:
    others = ready(alice, project, 1, 2)
    items = [said(others[0], box("dent")), said(image, box("dent", 1, 1, -1, 1)), said(others[1], box("pit"))]

    assert [line["status"] for line in annotated(alice, project, *items)] == ["CREATED", "REJECTED", "CREATED"]
    assert counters(alice, project) == {"labelled": 2, "dent": (1, 1), "pit": (1, 1)}


def test_unknown_class_is_refused_whoever_has_it(cast: Cast, project: str, image: str) -> None:
    alice = cast.alice
    (deleted,) = book(alice, project, "burr")
    alice.api.delete(f"/api/v1/classes/{deleted}")
    other = book(alice, project_of(alice, "Lids"), "scratch")[0]
    foreign = book(cast.charlie, project_of(cast.charlie), "dent")[0]

    for label in ("dnet", "Dent", "", "burr", "scratch", deleted, other, foreign, MISSING):
        error = refused(alice, project, said(image, box("dent"), box(label)))
        assert error["code"] == "unknown_class", label
        assert error["message"] == f"0.jpg: boxes[1]: the label book has no class {label!r}."
    for odd in (None, 7, ["dent"], "\x00", "\ud800"):
        error = refused(alice, project, said(image, {"class": odd, "bbox": [1, 1, 5, 5]}))
        assert error["code"] == "unknown_class", odd
    assert versions(alice, image) == []


def test_unknown_image_is_refused_whoever_has_it(cast: Cast, project: str, image: str) -> None:
    alice = cast.alice
    (deleted,) = ready(alice, project, 1)
    alice.api.delete(f"/api/v1/images/{deleted}")
    other = ready(alice, project_of(alice, "Lids"), 2)[0]
    foreign = ready(cast.charlie, project_of(cast.charlie), 3)[0]

    for unknown in (deleted, other, foreign, MISSING, "7", "", 7, [], "\x00"):
        assert refused(alice, project, said(unknown))["code"] == "unknown_image", unknown  # type: ignore[arg-type]
    for filename in ("1.jpg", "2.jpg", "3.jpg", "0.JPG", "", 7, {}, "a\x00", "\ud800", "x" * 300):
        item = {"filename": filename, "boxes": []}
        assert refused(alice, project, item)["code"] == "unknown_image", filename
    for person, where in ((cast.charlie, other), (alice, foreign)):
        assert person.api.get(f"/api/v1/images/{where}/annotations").status_code == 404


def test_filename_names_the_one_ready_image(alice: Person, project: str, image: str) -> None:
    post(alice, f"projects/{project}/images/register", {"files": [described(7, filename="0.jpg")]})
    assert annotated(alice, project, {"filename": "0.jpg", "boxes": []})[0]["image"] == image
    twin = ready(alice, project, 8, filename="0.jpg")[0]

    error = refused(alice, project, {"filename": "0.jpg", "boxes": []})

    assert error["code"] == "ambiguous_filename"
    assert "2 images" in error["message"]
    # Its id tells which; the filename beside it is not read.
    assert annotated(alice, project, said(twin, filename="other.jpg"))[0]["image"] == twin


def test_images_of_a_common_filename_are_counted_not_read(
    alice: Person, project: str, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera may name a hundred thousand alike, and the project is locked meanwhile."""
    ready(alice, project, 1, 2, 3, filename="same.jpg")
    post(alice, f"projects/{project}/images/register", {"files": [described(4, filename="0.jpg")]})
    read: list[str] = []

    def noted(cls: type[Image], *given: Any) -> Image:
        row: Image = from_db(cls, *given)
        read.append(row.filename)
        return row

    from_db = Image.from_db.__func__  # type: ignore[attr-defined]  # a class method
    monkeypatch.setattr(Image, "from_db", classmethod(noted))
    lines = annotated(alice, project, *({"filename": name, "boxes": []} for name in ("same.jpg", "0.jpg", "other.jpg")))

    assert [line.get("error", {}).get("code") for line in lines] == ["ambiguous_filename", None, "unknown_image"]
    assert "3 images" in lines[0]["error"]["message"]
    assert read == ["0.jpg"]


def test_image_without_file_is_not_annotated(alice: Person, project: str) -> None:
    answer = post(alice, f"projects/{project}/images/register", {"files": [described(1)]}).json()
    awaited = answer["results"][0]["image"]

    for item in (said(awaited), {"filename": "1.jpg", "boxes": []}):
        error = refused(alice, project, item)
        assert (error["code"], error["message"]) == ("image_not_ready", "1.jpg is AWAITING.")


def test_image_named_twice_is_not_annotated_by_halves(alice: Person, project: str, image: str) -> None:
    """A client that sends box by box would have each taken for all."""
    (other,) = ready(alice, project, 1)
    items = [said(image, box("dent")), said(other), {"filename": "0.jpg", "boxes": [box("pit")]}, said(image)]

    lines = annotated(alice, project, *items)

    assert [line["status"] for line in lines] == ["REJECTED", "CREATED", "REJECTED", "REJECTED"]
    assert {line["error"]["code"] for line in lines if "error" in line} == {"duplicate_image"}
    assert lines[0]["error"]["message"] == "0.jpg is named by 3 items of this call (0, 2, 3)."
    assert versions(alice, image) == []


def test_item_that_says_nothing_is_refused(alice: Person, project: str, image: str) -> None:
    """Above all, one whose boxes have another name is not taken for a good image."""
    unusable: list[Any] = [
        *(None, 7, [], "image", {}),
        *({"image": None, "filename": None, "boxes": []}, {"boxes": []}),
        *({"image": image}, {"image": image, "boxes": None}, {"image": image, "box": [], "boxes": {}}),
        *({"image": image, "boxes": [], "if_number": odd} for odd in ("1", -1, 1.5, True, [])),
    ]
    for item in unusable:
        assert refused(alice, project, item)["code"] == "validation_failed", item
    for odd in (None, 7, [1, 1, 5, 5], "dent"):
        assert refused(alice, project, said(image, odd))["code"] == "bad_box", odd
    assert versions(alice, image) == []


def test_too_many_boxes_are_refused(alice: Person, project: str, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [box("dent", number % 90, number // 90, 5, 5) for number in range(1001)]

    assert refused(alice, project, said(image, *boxes))["code"] == "too_many_boxes"
    assert annotated(alice, project, said(image, *boxes[:1000]))[0]["status"] == "CREATED"
    assert len(versions(alice, image)[0]["boxes"]) == 1000

    monkeypatch.setattr(annotations, "MAX_BOXES_A_CALL", 1500)
    (other,) = ready(alice, project, 1)
    body = {"annotations": [said(image, *boxes[:800]), said(other, *boxes[:701])]}
    answer = post(alice, f"projects/{project}/annotations", body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["hint"]
    assert versions(alice, other) == []


def test_call_that_is_no_list_of_items_is_refused_whole(alice: Person, project: str, image: str) -> None:
    bodies: list[Any] = [{}, [], [said(image)], {"annotations": []}, {"annotations": {}}]
    bodies += [{"annotations": "all"}, {"annotations": [said(image)] * 1001}]
    for body in bodies:
        answer = post(alice, f"projects/{project}/annotations", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), str(body)[:50]
    assert versions(alice, image) == []


def test_more_bytes_than_the_door_takes_are_refused(alice: Person, project: str, image: str) -> None:
    body = {"annotations": [said(image, note="x" * (8 * 1024 * 1024))]}
    answer = post(alice, f"projects/{project}/annotations", body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
