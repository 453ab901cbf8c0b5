"""Data that no tool expects: each either trains to a model that answers, or is refused with what to add."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.training.vision.conftest import draw_image
from training.vision.examples import Annotation, check_examples
from training.vision.features import settle_recipe
from training.vision.few_shot import Workbench
from training.vision.folds import TooFewGroups
from training.vision.recipes import FAST, FULL, Recipe
from training.vision.runs import RunOutcome, run_recipe

Data = tuple[list[npt.NDArray[np.uint8]], list[Annotation]]
RED = (220, 30, 30)


@pytest.fixture(params=["fast", "full"])
def recipe(request: pytest.FixtureRequest, tiny: Recipe, slight: Recipe) -> Recipe:
    chosen = {"fast": tiny, "full": slight}[request.param]
    return replace(chosen, long_side=64, steps=2, folds=2)


def annotate(*boxes: tuple[float, ...], label: int = 0) -> Annotation:
    return Annotation(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), label))


def good_data(count: int = 4) -> Data:
    images, annotations = [], []
    for number in range(count):
        box = (10 + number, 20, 50 + number, 60)
        images.append(draw_image(number, box, RED))
        annotations.append(annotate(box))
    return images, annotations


def train(data: Data, recipe: Recipe, workbench: Workbench, classes: int = 1) -> RunOutcome:
    names = [f"class {index}" for index in range(classes)]
    outcome = run_recipe(*data, names, recipe, 0, splits=["TRAIN"] * len(data[0]), workbench=workbench)
    assert all(np.isfinite(np.asarray(weight, np.float32)).all() for weight in outcome.trained.weights.values())
    assert sorted(outcome.evaluation.predictions) == list(range(len(data[0])))
    return outcome


def test_a_class_with_one_box(recipe: Recipe, workbench: Workbench) -> None:
    images, annotations = good_data()
    rare = Annotation(np.array([[0, 0, 9, 9], [30, 30, 70, 70]], np.float32), np.array([1, 0]))
    outcome = train((images, [*annotations[:-1], rare]), recipe, workbench, classes=2)
    assert outcome.evaluation.intervals.class_ap50[1].value == pytest.approx(0, abs=1)  # judged, whatever it is


def test_boxes_of_one_pixel(recipe: Recipe, workbench: Workbench) -> None:
    images, _ = good_data()
    train((images, [annotate((5, 5, 6, 6), (60, 60, 61, 61)) for _ in images]), recipe, workbench)


def test_identical_images_cannot_judge_each_other(recipe: Recipe, workbench: Workbench) -> None:
    images, annotations = good_data()
    with pytest.raises(TooFewGroups, match="add images that are not copies"):
        train(([images[0]] * 4, [annotations[0]] * 4), recipe, workbench)


def test_labels_that_are_all_wrong(recipe: Recipe, workbench: Workbench) -> None:
    images, _ = good_data()
    outcome = train((images, [annotate((70, 60, 100, 90)) for _ in images]), recipe, workbench)
    assert outcome.evaluation.intervals.ap50.value < 0.5


def test_three_images(recipe: Recipe, workbench: Workbench) -> None:
    assert train(good_data(3), recipe, workbench).folds == 2


def test_a_line_of_an_image(recipe: Recipe, workbench: Workbench) -> None:
    images, annotations = good_data(3)
    line = np.full((1, 4000, 3), 120, np.uint8)
    data = ([*images, line], [*annotations, annotate((100, 0, 180, 1))])
    found = train(data, recipe, workbench).evaluation.predictions[3]
    assert (found.boxes[:, 2] <= 4000).all()
    assert (found.boxes[:, 3] <= 1).all()


@pytest.mark.parametrize("chosen", [FAST, FULL], ids=["fast", "full"])
def test_five_thousand_images_take_no_longer_than_fifty(chosen: Recipe) -> None:
    images, annotations = good_data(50)
    few = settle_recipe(chosen, check_examples(images, annotations, 1))
    many = settle_recipe(chosen, check_examples(images * 100, annotations * 100, 1))
    assert many.steps == few.steps
    assert many.views <= 2  # of each, so that features do not take the time that training does not
