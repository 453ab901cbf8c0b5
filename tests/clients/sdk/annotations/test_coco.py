import json
from pathlib import Path
from typing import Any

import pytest

from myriad import CocoBox, CocoImage, ValidationFailed, read_coco_annotations
from tests.clients.sdk.annotations.coco_files import coco_file

WHOLE: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a\\1.jpg", "width": 640, "height": 480}, {"id": "x", "file_name": "2.jpg"}],
    "categories": [{"id": 5, "name": "dent"}, {"id": 6, "name": "unused"}],
    "annotations": [{"id": 9, "image_id": 1, "category_id": 5, "bbox": [1, 2.5, 3, 4]}],
}


def write(folder: Path, document: object) -> Path:
    path = folder / "coco.json"
    path.write_text(json.dumps(document))
    return path


def test_boxes_are_read_with_their_categories(tmp_path: Path) -> None:
    coco = read_coco_annotations(write(tmp_path, WHOLE))
    box = CocoBox("dent", (1.0, 2.5, 3.0, 4.0))
    assert coco.images == (CocoImage("a/1.jpg", 640, 480, (box,)), CocoImage("2.jpg"))
    assert coco.categories == ("dent",)
    assert [image.file_name for image in coco.only(["2.jpg", "3.jpg"]).images] == ["2.jpg"]


def test_crowd_regions_are_counted_and_left_out(tmp_path: Path) -> None:
    crowd = {"id": 10, "image_id": 1, "category_id": 5, "iscrowd": 1, "segmentation": {"counts": []}}
    coco = read_coco_annotations(write(tmp_path, WHOLE | {"annotations": [*WHOLE["annotations"], crowd]}))
    assert (coco.crowds, coco.images[0].crowds, len(coco.images[0].boxes)) == (1, 1, 1)
    assert coco.only(["2.jpg"]).crowds == 0


@pytest.mark.parametrize(
    "bbox", [None, [1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, True], [1, 2, 3, float("nan")], [10**400] * 4]
)
def test_bad_bbox_is_its_images_trouble_alone(tmp_path: Path, bbox: Any) -> None:
    coco = read_coco_annotations(coco_file(tmp_path, {"1.jpg": [("dent", bbox)], "2.jpg": [("dent", [1, 2, 3, 4])]}))
    assert coco.images[0].trouble == "the `bbox` of annotation 0 is not four finite numbers"
    assert (coco.images[1].trouble, len(coco.images[1].boxes)) == ("", 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": None}, "has no list `images`"),
        ({"categories": {}}, "has no list `categories`"),
        ({"images": [7]}, "entry 0 of `images` is not an object"),
        ({"images": [{"id": 1}]}, "entry 0 of `images` has no `file_name`"),
        ({"categories": [{"id": 5}]}, "entry 0 of `categories` has no `name`"),
        ({"images": [WHOLE["images"][0], WHOLE["images"][0]]}, "`images` has the id 1 twice"),
        ({"images": WHOLE["images"][1:]}, "annotation 9 is of image 1, which `images` does not have"),
        ({"categories": []}, "annotation 9 has category 5, which `categories` does not have"),
    ],
)
def test_file_whose_parts_do_not_fit_is_refused_by_name(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write(tmp_path, WHOLE | change)
    with pytest.raises(ValidationFailed) as raised:
        read_coco_annotations(path)
    assert raised.value.detail == f"{path}: {said}."
    assert raised.value.code == "bad_coco"


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", "[" * 100_000])
def test_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "coco.json"
    path.write_text(text)
    with pytest.raises(ValidationFailed, match="is not"):
        read_coco_annotations(path)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="cannot be read: No such file") as raised:
        read_coco_annotations(tmp_path / "none.json")
    assert raised.value.hint == "Check the path."
