import pytest

from myriad import CocoImage, Image
from myriad.annotations.matching import Matcher


def image(name: str, *, width: int | None = 640) -> Image:
    return Image(id=f"id of {name}", filename=name, status="READY", width=width, height=width and 480)


def matched(project: list[str], file: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    found, rejected = Matcher(map(image, project)).match(map(CocoImage, file))
    return {one.described.file_name: one.image for one in found}, {one.name: one.code for one in rejected}


@pytest.mark.parametrize(
    ("project", "file"),
    [("1.jpg", "1.jpg"), ("a/1.jpg", "a/1.jpg"), ("a/1.jpg", "1.jpg"), ("1.jpg", "a/1.jpg"), ("a/1.jpg", "b/1.jpg")],
)
def test_image_is_found_by_its_name_or_its_last_part(project: str, file: str) -> None:
    assert matched([project, "2.jpg"], [file]) == ({file: f"id of {project}"}, {})


def test_whole_name_goes_before_the_last_part() -> None:
    found, rejected = matched(["a/1.jpg", "b/1.jpg"], ["a/1.jpg", "b/1.jpg"])
    assert found == {"a/1.jpg": "id of a/1.jpg", "b/1.jpg": "id of b/1.jpg"}
    assert rejected == {}


def test_last_part_that_several_have_matches_nothing() -> None:
    assert matched(["a/1.jpg", "b/1.jpg"], ["1.jpg"]) == ({}, {"1.jpg": "ambiguous_filename"})
    two = {"a/1.jpg": "ambiguous_filename", "b/1.jpg": "ambiguous_filename"}
    assert matched(["1.jpg"], ["a/1.jpg", "b/1.jpg"]) == ({}, two)


def test_image_that_is_not_there_is_said() -> None:
    _, (rejected,) = Matcher([image("1.jpg")]).match([CocoImage("2.jpg")])
    assert (rejected.code, rejected.message) == ("unknown_image", "2.jpg: the project has no image of this name.")
    assert rejected.hint.startswith("Upload it first")


def test_two_images_of_one_name_are_told_apart_by_nothing() -> None:
    found, (rejected,) = Matcher([image("1.jpg"), image("1.jpg")]).match([CocoImage("1.jpg")])
    assert (found, rejected.message) == ([], "1.jpg: 2 images of the project have this name.")


def test_image_named_twice_in_the_file_is_taken_once() -> None:
    assert matched(["1.jpg"], ["1.jpg", "1.jpg"])[1] == {"1.jpg": "duplicate_image"}


def test_boxes_of_another_size_are_not_taken() -> None:
    """As of a photograph that was lying on its side, or was made smaller, when it was labelled."""
    _, (rejected,) = Matcher([image("1.jpg")]).match([CocoImage("1.jpg", width=480, height=640)])
    assert rejected.code == "size_mismatch"
    assert rejected.message == "1.jpg: it is 640 x 480 pixels, but 480 x 640 by the file."


def test_size_that_is_not_known_is_no_mismatch() -> None:
    entry = CocoImage("1.jpg", width=480, height=640)
    assert Matcher([image("1.jpg", width=None)]).match([entry])[1] == []
    assert matched(["1.jpg"], ["1.jpg"])[1] == {}


def test_trouble_of_the_file_is_told() -> None:
    _, (rejected,) = Matcher([image("1.jpg")]).match([CocoImage("1.jpg", trouble="it is bent")])
    assert (rejected.code, rejected.message) == ("bad_box", "1.jpg: it is bent.")
