from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from training.vision.examples import Annotation, BadExample, NothingToLearn, check_examples, read_pixels

GREY = np.full((20, 40, 3), 128, np.uint8)


def annotate(*box: float, class_index: int = 0, group: str | None = None) -> Annotation:
    return Annotation(np.array([box], np.float32), np.array([class_index]), group)


def test_boxes_are_clipped_to_their_image() -> None:
    [example] = check_examples([GREY], [annotate(-5, -5, 50, 10)], 1)
    assert example.boxes.tolist() == [[0, 0, 40, 10]]
    assert (example.height, example.width) == (20, 40)


def test_a_box_of_one_pixel_is_fine() -> None:
    [example] = check_examples([GREY], [annotate(3, 3, 4, 4)], 1)
    assert example.boxes.tolist() == [[3, 3, 4, 4]]


@pytest.mark.parametrize(
    ("box", "class_index", "reason"),
    [
        ((10, 10, 5, 15), 0, "box 10, 10, 5, 15 is inverted or empty"),
        ((10, 10, 10, 15), 0, "box 10, 10, 10, 15 is inverted or empty"),
        ((-9, -9, -1, -1), 0, "box -9, -9, -1, -1 lies outside the 40 × 20 image"),
        ((41, 0, 50, 5), 0, "box 41, 0, 50, 5 lies outside the 40 × 20 image"),
        ((0, 0, float("nan"), 5), 0, "box is not finite"),
        ((0, 0, 5, 5), 2, "class 2 is unknown"),
        ((0, 0, 5, 5), -1, "class -1 is unknown"),
    ],
)
def test_a_box_that_cannot_be_meant_is_named(box: tuple[float, ...], class_index: int, reason: str) -> None:
    with pytest.raises(BadExample) as caught:
        check_examples([GREY, GREY], [annotate(0, 0, 5, 5), annotate(*box, class_index=class_index)], 2)
    assert (caught.value.image, caught.value.box, caught.value.reason) == (1, 0, reason)


@pytest.mark.parametrize("shape", [(20, 40), (20, 40, 1), (20, 40, 4), (0, 40, 3)])
def test_an_image_that_is_not_rgb_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadExample, match="image 0: expected RGB uint8"):
        check_examples([np.zeros(shape, np.uint8)], [Annotation()], 1)


def test_without_boxes_images_or_classes_there_is_nothing_to_learn() -> None:
    with pytest.raises(NothingToLearn, match="no image has a box"):
        check_examples([GREY], [Annotation()], 1)
    with pytest.raises(NothingToLearn, match="add images"):
        check_examples([], [], 1)
    with pytest.raises(NothingToLearn, match="at least one class"):
        check_examples([GREY], [annotate(0, 0, 5, 5)], 0)


def test_identical_images_and_what_they_are_grouped_with_form_one_group() -> None:
    other = GREY + 1
    examples = check_examples(
        [GREY, GREY, other, other],
        [
            annotate(0, 0, 5, 5, group="a"),
            annotate(0, 0, 5, 5, group="b"),
            Annotation(group="b"),
            Annotation(group="c"),
        ],
        1,
    )
    assert len({example.group for example in examples}) == 1


def test_only_decoded_files_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    [example] = check_examples([tmp_path / "a.npy"], [annotate(0, 0, 5, 5)], 1)
    assert (example.pixels() == GREY).all()
    with pytest.raises(ValueError, match=r"b\.jpg: decode images first"):
        check_examples([tmp_path / "b.jpg"], [annotate(0, 0, 5, 5)], 1)


def test_files_are_mapped_and_hashed_in_strips(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 1001, 3)).astype(np.uint8)  # 4.5 MB: two strips
    np.save(tmp_path / "large.npy", pixels)
    assert isinstance(read_pixels(tmp_path / "large.npy").base, np.memmap)
    annotation = Annotation(np.array([[1, 1, 9, 9]], np.float32), np.array([0]))
    [mapped] = check_examples([tmp_path / "large.npy"], [annotation], 1)
    [turned] = check_examples([np.asfortranarray(pixels)], [annotation], 1)
    assert mapped.sha256 == turned.sha256 == sha256(b"1500x1001:" + pixels.tobytes()).hexdigest()
