from pathlib import Path
from typing import Any

import pytest

from myriad import Client, ImportProgress, UnexpectedAnswer, ValidationFailed
from myriad.annotations import sending
from tests.clients.sdk.annotations.coco_files import coco_file
from tests.clients.sdk.fake_service import FakeService

DENT: tuple[str, list[Any]] = ("dent", [1, 1, 2, 2])


@pytest.fixture
def images(service: FakeService, project: str) -> dict[str, str]:
    service.tenant.classes["c1"] = {"id": "c1", "project": project, "name": "dent"}
    return {name: service.tenant.add_image(project, name) for name in ("1.jpg", "2.jpg", "3.jpg")}


def annotated(service: FakeService) -> list[list[Any]]:
    return [request.json["annotations"] for request in service.requests("POST", ".*/annotations")]


def test_annotations_are_written_and_listed(service: FakeService, client: Client, project: str, images: Any) -> None:
    item = {"image": images["1.jpg"], "boxes": [{"class": "dent", "bbox": [1, 1, 2, 2]}]}

    (first,) = client.annotations.write(project, [item])
    (again,) = client.annotations.write(project, [item])

    assert (first.outcome, again.outcome, again.annotation) == ("CREATED", "UNCHANGED", first.annotation)
    (version,) = client.annotations.list(images["1.jpg"])
    assert client.annotations.get(str(first.annotation)) == version
    assert (version.number, version.accepted, version.author and version.author.name) == (1, True, "Alice")
    assert (version.boxes[0].class_id, version.boxes[0].bbox) == ("c1", (1, 1, 2, 2))


def test_what_is_refused_of_one_image_does_not_hold_up_the_others(client: Client, project: str, images: Any) -> None:
    bad = {"image": images["1.jpg"], "boxes": [{"class": "c1", "bbox": [5, 5, -2, 2]}]}
    unknown, good = {"image": "nobody's", "boxes": []}, {"image": images["2.jpg"], "boxes": []}

    results = client.annotations.write(project, [bad, unknown, good])

    assert [result.outcome for result in results] == ["REJECTED", "REJECTED", "CREATED"]
    assert [result.code for result in results] == ["bad_box", "unknown_image", ""]
    assert (results[0].message, results[0].hint) == ("1.jpg: boxes[0] is inverted or empty.", "Mend it.")


def test_many_images_go_in_batches(
    service: FakeService, client: Client, project: str, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_IMAGES", 2)
    seen: list[ImportProgress] = []
    items = [{"image": image, "boxes": []} for image in images.values()]
    client.annotations.write(project, items, on_progress=seen.append)
    assert [len(batch) for batch in annotated(service)] == [2, 1]
    assert [(progress.done, progress.total) for progress in seen] == [(2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("boxes", "batches"), [([3, 3, 3], [1, 1, 1]), ([2, 3, 1], [2, 1]), ([9, 1], [1, 1]), ([], []), ([0, 0], [2])]
)
def test_batch_has_no_more_boxes_than_a_call_takes(
    boxes: list[int], batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_BOXES", 5)
    items = [{"image": str(place), "boxes": [{}] * count} for place, count in enumerate(boxes)]
    cut = list(sending.batches(items))
    assert [len(batch) for batch in cut] == batches
    assert [item for batch in cut for item in batch] == items


def test_batch_that_is_too_large_after_all_is_halved(
    service: FakeService, client: Client, project: str, images: Any
) -> None:
    too_large = {"code": "too_large", "detail": "Too large."}
    service.fail("POST", ".*/annotations", 413, too_large)  # all three
    service.fail("POST", ".*/annotations", 413, too_large)  # the first alone

    results = client.annotations.write(project, [{"image": image, "boxes": [{}] * 0} for image in images.values()])

    assert [len(batch) for batch in annotated(service)] == [3, 1, 2]
    assert [result.outcome for result in results] == ["REJECTED", "CREATED", "CREATED"]
    assert results[0].code == "too_large"


def test_answer_that_leaves_one_out_is_said(service: FakeService, client: Client, project: str) -> None:
    service.fail("POST", ".*/annotations", 200, {"results": []})
    with pytest.raises(UnexpectedAnswer, match="did not answer for every annotation"):
        client.annotations.write(project, [{"image": "x", "boxes": []}])


def test_coco_file_is_imported(service: FakeService, client: Client, project: str, images: Any, tmp_path: Path) -> None:
    cut: tuple[str, list[Any]] = ("dent", [-1, 1, 2, 2])
    path = coco_file(tmp_path, {"photos/1.jpg": [DENT], "2.jpg": [], "3.jpg": [cut], "4.jpg": [DENT]})
    seen: list[ImportProgress] = []

    report = client.annotations.import_coco(project, path, on_progress=seen.append)

    assert [(result.name, result.boxes) for result in report.created] == [
        ("photos/1.jpg", 1),
        ("2.jpg", 0),
        ("3.jpg", 1),
    ]
    assert report.created[2].warnings == ("3.jpg: 1 of its boxes stick out and were cut.",)
    assert [(result.name, result.code) for result in report.rejected] == [("4.jpg", "unknown_image")]
    assert seen == [ImportProgress(done=4, total=4, rejected=1)]
    assert annotated(service)[0][0] == {"image": images["1.jpg"], "boxes": [{"class": "c1", "bbox": [1, 1, 2, 2]}]}

    again = client.annotations.import_coco(project, path)
    assert (len(again.created), len(again.unchanged), len(again.rejected)) == (0, 3, 1)
    assert again.to_json()["counts"] == {"created": 0, "unchanged": 3, "rejected": 1, "crowds": 0}


def test_unknown_classes_are_named_and_nothing_is_written(
    service: FakeService, client: Client, project: str, images: Any, tmp_path: Path
) -> None:
    path = coco_file(tmp_path, {"1.jpg": [DENT, ("Dent", [1, 1, 1, 1]), ("scratch", [1, 1, 1, 1])]})

    with pytest.raises(ValidationFailed) as raised:
        client.annotations.import_coco(project, path)

    assert raised.value.detail == "The label book lacks 2 of the file's categories: Dent (there is dent), scratch."
    assert (raised.value.code, annotated(service)) == ("unknown_classes", [])
    assert len(service.tenant.classes) == 1


def test_unknown_classes_are_made_if_asked_for(
    service: FakeService, client: Client, project: str, images: Any, tmp_path: Path
) -> None:
    path = coco_file(tmp_path, {"1.jpg": [DENT, ("scratch", [1, 1, 1, 1])]})
    report = client.annotations.import_coco(project, path, create_classes=True)
    assert (report.classes, len(report.created)) == (("scratch",), 1)
    assert [item["name"] for item in service.tenant.classes.values()] == ["dent", "scratch"]


@pytest.fixture
def sorting(service: FakeService) -> str:
    """A project whose images have one class each."""
    project = service.tenant.add_project("Sorting", kind="CLASSIFICATION")
    service.tenant.classes["c1"] = {"id": "c1", "project": project, "name": "dent"}
    return project


def test_a_class_is_said_of_a_whole_image(service: FakeService, client: Client, sorting: str) -> None:
    first, second = (service.tenant.add_image(sorting, name) for name in ("1.jpg", "2.jpg"))
    items = [{"image": first, "class": "dent"}, {"image": second, "class": None}]

    results = client.annotations.write(sorting, items)

    assert [(result.outcome, result.boxes) for result in results] == [("CREATED", 0)] * 2
    assert annotated(service) == [items]
    assert [next(iter(client.annotations.list(image))).class_id for image in (first, second)] == ["c1", None]


def test_a_coco_file_says_classes_where_images_have_one_each(
    service: FakeService, client: Client, sorting: str, tmp_path: Path
) -> None:
    images = {name: service.tenant.add_image(sorting, name) for name in ("1.jpg", "2.jpg", "3.jpg")}
    scratch = ("scratch", [1, 1, 1, 1])
    path = coco_file(tmp_path, {"1.jpg": [DENT, DENT], "2.jpg": [], "3.jpg": [DENT, scratch]})

    report = client.annotations.import_coco(sorting, path)

    assert annotated(service) == [
        [{"image": images["1.jpg"], "class": "c1"}, {"image": images["2.jpg"], "class": None}]
    ]
    assert [(result.name, result.code) for result in report.rejected] == [("3.jpg", "several_classes")]
    assert "(dent, scratch)" in report.rejected[0].message
    assert report.classes == ()
