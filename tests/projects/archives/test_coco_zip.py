"""COCO archives as tools write them, and as they should not."""

import json
from typing import Any

import pytest

from projects.domain.archives.contents import Kind
from tests.projects.archives.zips import coco, coco_zip, drawn, photo, read, told, zipped

BOX = ("dent", 1.5, 2.25, 10.0, 12.0)


def test_boxes_good_images_and_what_nothing_is_said_of() -> None:
    data = coco_zip({"a.png": [BOX, ("scratch", 1, 2, 3, 4)], "good.png": []}, more={"images/extra.png": photo("x")})
    images, summary = read(data)
    assert (summary.format, summary.images, summary.boxes) == ("COCO", 3, 2)
    assert [label.name for label in summary.classes] == ["dent", "scratch"]
    assert drawn(images["images/a.png"]) == [(0, 1.5, 2.25, 10.0, 12.0), (1, 1.0, 2.0, 3.0, 4.0)]
    labels = images["images/a.png"].labels
    assert labels is not None
    assert [box.where for box in labels.boxes] == ["annotation 100", "annotation 101"]
    assert drawn(images["images/good.png"]) == []
    assert images["images/extra.png"].labels is None
    first = images["images/a.png"]
    assert (first.width, first.height, first.content_type, first.size) == (48, 36, "image/png", len(photo("a.png")))


def test_a_folder_a_split_as_roboflow_writes_them() -> None:
    """Each folder's document counts its ids from the start, and orders its classes in its own way."""
    files: dict[str, Any] = {"README.roboflow.txt": "exported"}
    for folder, names in (("train", ("dent", "scratch")), ("valid", ("scratch", "dent")), ("test", ("dent",))):
        files[f"{folder}/_annotations.coco.json"] = json.dumps(coco({"a.png": [BOX]}, names=names))
        files[f"{folder}/a.png"] = photo(folder)
    images, summary = read(zipped(files))
    assert {path: image.about.split for path, image in images.items()} == {
        "train/a.png": "TRAIN",
        "valid/a.png": "VALIDATION",
        "test/a.png": "TEST",
    }
    assert all(drawn(image) == [(0, *BOX[1:])] for image in images.values())
    assert told(summary) == {}


def test_a_document_s_name_tells_the_split_where_no_folder_does() -> None:
    files: dict[str, Any] = {f"images/{name}.png": photo(name) for name in ("a", "b")}
    for split, name in (("train", "a"), ("val", "b")):
        files[f"annotations/instances_{split}2017.json"] = json.dumps(coco({f"{name}.png": []}))
    images, _ = read(zipped(files))
    assert [images[f"images/{name}.png"].about.split for name in "ab"] == ["TRAIN", "VALIDATION"]


def test_polygons_give_their_box_and_crowds_none() -> None:
    polygon = {"category_id": 1, "segmentation": [[4, 5, 10, 5, 10, 9.5], [2, 6, 3, 7, 3, 6]]}
    crowd = {"category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 1, "segmentation": {"counts": [1], "size": [1, 1]}}
    images, summary = read(coco_zip({"a.png": [polygon, crowd], "crowd.png": [crowd]}))
    assert drawn(images["images/a.png"]) == [(0, 2.0, 5.0, 8.0, 4.5)]
    assert told(summary) == {"box_of_polygon": 1, "crowd": 2}
    labels = images["images/crowd.png"].labels
    assert labels is not None
    assert (labels.boxes, labels.box_count) == ((), 1), "an image of which only a crowd is left is not a good one"


BAD: list[Any] = [
    None, [], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 0, 4], [1, 2, -3, 4], ["1", 2, 3, 4], [True, 2, 3, 4],
    [float("nan"), 1, 1, 1], [float("inf"), 1, 1, 1], [1e308, 1, 1e308, 1], [10**400, 1, 1, 1], {"x": 1}, "1,2,3,4",
]  # fmt: skip


@pytest.mark.parametrize("bbox", BAD, ids=[str(place) for place in range(len(BAD))])
def test_boxes_that_are_none(bbox: Any) -> None:
    images, summary = read(coco_zip({"a.png": [{"category_id": 1, "bbox": bbox}, BOX]}))
    assert drawn(images["images/a.png"]) == [(0, *BOX[1:])]
    assert told(summary) == {"bad_box": 1}
    assert summary.problems.kinds[Kind.BAD_BOX].references[0].where == "annotation 100"


@pytest.mark.parametrize("points", [[["a", 1, 2, 3]], [[1, 2]], [[1, 1, 1, 1, 1, 1]], [[1, 2, 3]], "rle", [5], [[]]])
def test_polygons_that_are_none(points: Any) -> None:
    images, summary = read(coco_zip({"a.png": [{"category_id": 1, "segmentation": points}]}))
    assert drawn(images["images/a.png"]) == []
    assert told(summary) == {"bad_box": 1}


def test_rows_that_point_nowhere() -> None:
    document = coco({"a.png": [BOX]})
    document["annotations"] += [{"id": 7, "image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4]}, "nonsense", {}]
    document["annotations"] += [{"id": 8, "image_id": 1, "category_id": 99, "bbox": [1, 2, 3, 4]}]
    document["images"] += ["nonsense", {"id": [1], "file_name": "b.png"}, {"file_name": "again.png"}]
    document["images"] += [{"id": 5}, {"id": 6, "file_name": "../../etc/passwd"}]
    document["categories"] += ["nonsense", {"id": 3}, {"id": 4, "name": "x" * 101}]
    images, summary = read(zipped({"annotations.json": json.dumps(document), "images/a.png": photo("a")}))
    assert list(images) == ["images/a.png"]
    assert drawn(images["images/a.png"]) == [(0, *BOX[1:])]
    assert told(summary) == {"dangling_annotation": 9}
    places = {reference.where for reference in summary.problems.kinds[Kind.DANGLING_ANNOTATION].references}
    assert {"annotation 7", "annotation 8", "annotations[2]", "images[1]"} <= places


def test_ids_that_several_have_name_none_of_them() -> None:
    """As in two files put one behind the other: each counted from 1."""
    document = coco({"a.png": [BOX], "b.png": [BOX], "c.png": [BOX, ("scratch", 1, 2, 3, 4)]})
    document["images"][1]["id"] = 1
    document["categories"] += [{"id": 2, "name": "burr"}, {"id": 1, "name": "dent"}]
    files = {f"images/{name}.png": photo(name) for name in "abc"}
    images, summary = read(zipped(files | {"annotations.json": json.dumps(document)}))
    assert [images[f"images/{name}.png"].labels is None for name in "abc"] == [True, True, False]
    assert drawn(images["images/c.png"]) == [(0, *BOX[1:])]
    assert told(summary) == {"duplicate_id": 4, "dangling_annotation": 1}
    assert "id 1, b.png" in summary.problems.kinds[Kind.DUPLICATE_ID].references[1].detail


def test_a_document_that_only_lists_files_says_of_none_that_it_is_good() -> None:
    lists, says, differs = (
        coco({"a.png": [], "b.png": []}),
        coco({"a.png": [BOX]}),
        coco({"a.png": [("dent", 1, 1, 5, 5)]}),
    )
    files = {"images/a.png": photo("a"), "images/b.png": photo("b"), "1.json": json.dumps(lists)}
    images, summary = read(zipped(files | {"2.json": json.dumps(says)}))
    assert drawn(images["images/a.png"]) == [(0, *BOX[1:])]
    assert drawn(images["images/b.png"]) == []
    assert told(summary) == {}

    images, summary = read(zipped(files | {"2.json": json.dumps(says), "3.json": json.dumps(differs)}))
    assert images["images/a.png"].labels is None
    assert told(summary) == {"ambiguous_file": 1}


def test_splits_and_groups_are_taken_as_people_write_them_and_what_is_none_is_told() -> None:
    document = coco({"a.png": [], "b.png": []})
    document["images"][0] |= {"split": "test", "group": 17}
    document["images"][1] |= {"split": "later", "group": True, "metadata": {"camera": [1], "line": 2}}
    files = {"train2017/a.png": photo("a"), "val_2017/b.png": photo("b"), "annotations.json": json.dumps(document)}
    images, summary = read(zipped(files))
    a, b = images["train2017/a.png"].about, images["val_2017/b.png"].about
    assert (a.split, a.group) == ("TEST", "17")
    assert (b.split, b.group, b.metadata) == ("VALIDATION", "", {"line": 2})
    assert told(summary) == {"unusable_field": 3}
    details = [reference.detail for reference in summary.problems.kinds[Kind.UNUSABLE_FIELD].references]
    assert details == ["b.png split: 'later'", "b.png group: True", "b.png metadata camera: [1]"]


def test_a_sidecar_is_found_in_the_folder_that_was_packed() -> None:
    sidecar = {"version": 1, "images": {"images/a.png": {"filename": "A 1.png", "group": "g"}}}
    files = {
        "set/annotations.json": json.dumps(coco({"a.png": []})),
        "set/images/a.png": photo("a"),
        "set/myriad.json": json.dumps(sidecar),
    }
    images, _ = read(zipped(files))
    (a,) = images.values()
    assert (a.filenames, a.about.group) == (("A 1.png",), "g")
    images, _ = read(zipped(files | {"other/myriad.json": json.dumps(sidecar)}))
    assert images["set/images/a.png"].filenames == ("a.png",)  # of two it cannot be told which is meant


def test_files_found_by_their_name_or_not_at_all() -> None:
    files = {"set/a/one.png": photo("1"), "set/a/two.png": photo("2"), "set/b/two.png": photo("3")}
    document = coco({"C:/data/one.png": [], "elsewhere/one.png": [BOX], "two.png": [BOX], "gone.png": [BOX]})
    images, summary = read(zipped(files | {"set/labels.json": json.dumps(document)}))
    assert drawn(images["set/a/one.png"]) == [(0, *BOX[1:])]
    assert images["set/a/two.png"].labels is None
    assert images["gone.png"].entry is None
    assert images["gone.png"].filenames == ("gone.png",)
    assert told(summary) == {"dangling_annotation": 1, "ambiguous_file": 1}


def test_our_own_columns_and_the_sidecar() -> None:
    document = coco({"a.png": [], "b.png": []})
    document["images"][0] |= {"split": "TEST", "group": "board 7", "metadata": {"camera": "3"}}
    sidecar = {
        "version": 1,
        "classes": [
            {"name": "scratch", "definition": "long", "rule": "> 2 mm", "color": "#112233"},
            {"name": "unused", "color": "red"},
            {"name": ""},
            7,
        ],
        "images": {
            "images/b.png": {
                "filename": "Größe 1.png",
                "split": "TRAIN",
                "group": "g",
                "metadata": {"line": 4, "x": []},
            },
            "images/a.png": {"filename": "bad\nname", "split": "SOMETIMES", "group": [4], "metadata": []},
        },
    }
    files = {"annotations.json": json.dumps(document), "myriad.json": json.dumps(sidecar)}
    images, summary = read(zipped(files | {"images/a.png": photo("a"), "images/b.png": photo("b")}))
    a, b = images["images/a.png"], images["images/b.png"]
    assert (a.filenames, a.about.split, a.about.group, a.about.metadata) == (
        ("a.png",),
        "TEST",
        "board 7",
        {"camera": "3"},
    )
    assert (b.filenames, b.about.split, b.about.group, b.about.metadata) == (
        ("Größe 1.png",),
        "TRAIN",
        "g",
        {"line": 4},
    )
    assert [(label.name, label.listed) for label in summary.classes] == [
        ("scratch", True),
        ("unused", True),
        ("dent", False),
    ]
    assert (summary.classes[0].definition, summary.classes[0].rule, summary.classes[0].color) == (
        "long",
        "> 2 mm",
        "#112233",
    )
    assert summary.classes[1].color == ""


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', "[" * 100_000, "null"])
def test_a_sidecar_that_cannot_be_read_is_told_and_done_without(text: str) -> None:
    images, summary = read(coco_zip({"a.png": [BOX]}, more={"myriad.json": text}))
    assert drawn(images["images/a.png"]) == [(0, *BOX[1:])]
    assert told(summary) == {"unreadable_sidecar": 1}


def test_a_million_boxes_for_one_image_are_counted_and_not_kept() -> None:
    row = '{"image_id":1,"category_id":1,"bbox":[1,2,3,4]}'
    head = '{"images":[{"id":1,"file_name":"a.png"}],"categories":[{"id":1,"name":"d"}],"annotations":['
    many = head + ",".join([row] * 1_000_000) + "]}"
    images, _ = read(zipped({"x.json": many, "a.png": photo("a")}))
    labels = images["a.png"].labels
    assert labels is not None
    assert (labels.boxes, labels.box_count) == ((), 1_000_000)


@pytest.mark.parametrize("said", [{"width": 480, "height": 360}, {"width": 48, "height": 36}, {"width": "x"}, {}])
def test_boxes_drawn_on_another_size_are_told(said: dict[str, Any]) -> None:
    document = coco({"a.png": [BOX]})
    document["images"][0] |= said
    images, summary = read(zipped({"a.json": json.dumps(document), "a.png": photo("a")}))
    assert drawn(images["a.png"]) == [(0, *BOX[1:])]
    assert told(summary) == ({"size_differs": 1} if said.get("width") == 480 else {})
