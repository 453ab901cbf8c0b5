"""What recipe `auto` stands for, and the words that say why."""

import numpy as np
import pytest

from training.vision.choosing import choose_recipe
from training.vision.examples import Example
from training.vision.recipes import AUTO, FAST, FULL


def marked(count: int, *, side: float) -> list[Example]:
    """Images of 1,000 × 1,000 with one square box each."""
    box = np.array([[100, 100, 100 + side, 100 + side]], np.float32)
    image = np.zeros((1, 1, 3), np.uint8)
    return [
        Example(image, f"{number}", 1_000, 1_000, box, np.zeros(1, np.int64), f"{number}") for number in range(count)
    ]


def bare(count: int) -> list[Example]:
    return [
        Example(one.image, f"good {one.sha256}", 1_000, 1_000, one.boxes[:0], one.classes[:0], f"good {one.group}")
        for one in marked(count, side=10)
    ]


@pytest.mark.parametrize("asked", [FAST, FULL])
def test_a_recipe_asked_for_by_name_is_taken(asked):
    assert choose_recipe(asked, marked(50, side=200), has_gpu=True).recipe == asked
    assert choose_recipe(asked, marked(50, side=200), has_gpu=True).why == ""


def test_large_defects_and_enough_images_take_full():
    # 24 pixels are wanted of a box; one of 1/10 of the image has them at 240, so at the smallest size, 256
    choice = choose_recipe(AUTO, marked(50, side=100), has_gpu=False)
    assert choice.recipe == FULL
    assert choice.why == "Full: 50 images show a defect, and the defects are large enough to be learnt at 256 pixels."


def test_few_images_with_boxes_take_fast_however_many_good_ones_there_are():
    choice = choose_recipe(AUTO, marked(19, side=200) + bare(100), has_gpu=True)
    assert choice.recipe == FAST
    assert choice.why.startswith("Fast: 19 images show a defect")
    assert choose_recipe(AUTO, marked(20, side=200), has_gpu=False).recipe == FULL


def test_small_defects_take_fast_unless_there_is_a_gpu():
    # 24 / 0.05 = 480, so 512 pixels
    choice = choose_recipe(AUTO, marked(50, side=50), has_gpu=False)
    assert choice.recipe == FAST
    assert "learnt at 512 pixels" in choice.why
    assert choose_recipe(AUTO, marked(50, side=50), has_gpu=True).recipe == FULL
