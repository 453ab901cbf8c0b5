import numpy as np
import pytest

from training.vision.examples import Example
from training.vision.folds import TooFewGroups, assign_folds


def example(number: int, group: str, classes: list[int]) -> Example:
    pixels = np.zeros((4, 4, 3), np.uint8)
    boxes = np.tile(np.array([0, 0, 2, 2], np.float32), (len(classes), 1))
    return Example(pixels, str(number), 4, 4, boxes, np.array(classes, np.int64), group)


def test_a_group_stays_together_and_folds_are_of_like_size() -> None:
    examples = [example(number, f"board {number // 2}", [0]) for number in range(24)]
    folds = assign_folds(examples, 3, seed=1)
    assert [folds[index] == folds[index + 1] for index in range(0, 24, 2)] == [True] * 12
    assert np.bincount(folds).tolist() == [8, 8, 8]


def test_a_rare_class_is_spread() -> None:
    examples = [example(number, str(number), [1] if number < 3 else [0]) for number in range(30)]
    folds = assign_folds(examples, 3, seed=5)
    assert sorted(folds[:3]) == [0, 1, 2]


def test_folds_repeat_with_the_seed() -> None:
    examples = [example(number, str(number), [0]) for number in range(10)]
    assert assign_folds(examples, 5, seed=3) == assign_folds(examples, 5, seed=3)


def test_fewer_groups_than_folds_give_fewer_folds() -> None:
    assert sorted(assign_folds([example(n, str(n), [0]) for n in range(2)], 5, seed=0)) == [0, 1]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(TooFewGroups, match="3 images form 1 group"):
        assign_folds([example(n, "same", [0]) for n in range(3)], 3, seed=0)
