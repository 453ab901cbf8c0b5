"""Whole runs of both kinds on tiny images: what is judged by what, what is said, and what is handed out."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from training.vision.examples import Annotation, BadExample, NothingToLearn, Pixels
from training.vision.few_shot import Workbench
from training.vision.folds import TooFewGroups
from training.vision.image_features import choose_image_side, settle_image_recipe
from training.vision.image_models import pack_image_model
from training.vision.image_recipes import ANOMALY, CLASSIFICATION, find_image_recipe
from training.vision.image_runs import ImageOutcome, run_images
from training.vision.progress import RunProgress
from training.vision.recipes import UnknownRecipe
from training.vision.train import Stopped

RED, BLUE = 0, 1
SMALL: dict[str, Any] = {"long_side": 128, "components": 8, "folds": 2, "inner_folds": 2}


def draw(number: int, label: int | None) -> Pixels:
    """Grey noise of 100 × 120 pixels; of a class, with a rectangle in its colour."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(90, 130, (100, 120, 3)).astype(np.uint8)
    if label is not None:
        x, y = (int(value) for value in rng.integers(0, 50, 2))
        pixels[y : y + 45, x : x + 45] = ((230, 20, 20), (20, 20, 230))[label]
    return pixels


@dataclass
class Case:
    images: list[Pixels] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)

    def add(self, label: int | None, *, split: str = "TRAIN", group: str | None = None) -> None:
        self.images.append(draw(len(self.images), label))
        boxes = np.array([[0, 0, 120, 100]], np.float32) if label is not None else np.zeros((0, 4), np.float32)
        self.annotations.append(Annotation(boxes, np.array([label] if label is not None else [], np.int64), group))
        self.splits.append(split)


@pytest.fixture
def case() -> Case:
    made = Case()
    for _ in range(6):
        for label in (None, RED, BLUE):
            made.add(label)
    return made


def run(case: Case, workbench: Workbench, kind: str, **given: Any) -> ImageOutcome:
    recipe = find_image_recipe(kind, "fast", **SMALL)
    return run_images(
        kind, case.images, case.annotations, ["red", "blue"], recipe, 0, splits=case.splits, workbench=workbench,
        **given,
    )  # fmt: skip


def test_a_classifier_tells_classes_and_good(case: Case, workbench: Workbench) -> None:
    outcome = run(case, workbench, CLASSIFICATION)
    assert (outcome.method, outcome.folds) == ("OUT_OF_FOLD", 2)
    assert outcome.model.classes == ["red", "blue", "good"]
    assert list(outcome.answers) == list(range(18))
    assert set(outcome.fold_of.values()) == {1, 2}
    metrics = json.loads(json.dumps(outcome.metrics))
    assert metrics["kind"] == "CLASSIFICATION"
    assert metrics["auroc"]["value"] > 0.95
    assert [row["images"] for row in metrics["classes"]] == [6, 6, 6]
    assert np.array(metrics["confusion"]).sum() == 18
    assert set(metrics["accuracy"]) == {"value", "low", "high"}
    document = json.loads(outcome.predictions([f"i{number}" for number in range(18)]))
    assert document["classes"] == ["red", "blue", "good"]
    assert [entry["truth"] for entry in document["images"]][:3] == [2, 0, 1]
    first = document["images"][0]
    assert (first["image"], first["width"], first["height"], first["fold"]) == ("i0", 120, 100, outcome.fold_of[0])
    assert sum(first["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert "threshold" not in document


def test_without_good_images_there_is_no_such_output(workbench: Workbench) -> None:
    case = Case()
    for label in [RED, BLUE] * 4:
        case.add(label)
    outcome = run(case, workbench, CLASSIFICATION)
    assert outcome.model.classes == ["red", "blue"]
    assert outcome.metrics["auroc"] == outcome.metrics["classes"][0]["auroc"]


def test_anomalies_are_told_by_good_images_alone(case: Case, workbench: Workbench) -> None:
    for _ in range(10):
        case.add(None)
    outcome = run(case, workbench, ANOMALY)
    metrics = json.loads(json.dumps(outcome.metrics))
    assert (metrics["kind"], metrics["good"], metrics["defective"]) == ("ANOMALY", 16, 12)
    assert metrics["auroc"]["value"] > 0.95
    assert metrics["detection_rate"]["value"] > 0.8
    assert metrics["threshold"] == outcome.model.threshold
    # Sixteen scores: nothing less than one in seventeen is certain.
    assert metrics["stated_false_alarm_rate"] == pytest.approx(1 / 17)
    assert [row["images"] for row in metrics["classes"]] == [6, 6]
    document = json.loads(outcome.predictions([str(number) for number in range(28)]))
    assert document["threshold"] == outcome.model.threshold
    assert [entry["truth"] for entry in document["images"]][:3] == [-1, 0, 1]
    assert {type(entry["anomalous"]) for entry in document["images"]} == {bool}
    # What is defective teaches nothing: the same good images with other defects make the same weights.
    for index in range(18):
        if index % 3:
            case.images[index] = draw(1000 + index, RED)
    other = run(case, workbench, ANOMALY)
    assert all((other.model.weights[name] == weight).all() for name, weight in outcome.model.weights.items())
    assert other.model.threshold == outcome.model.threshold


def test_without_defects_there_is_a_threshold_but_no_auroc(workbench: Workbench) -> None:
    case = Case()
    for _ in range(8):
        case.add(None)
    outcome = run(case, workbench, ANOMALY)
    assert (outcome.metrics["auroc"], outcome.metrics["detection_rate"]) == (None, None)
    assert outcome.metrics["false_alarm_rate"]["low"] >= 0
    assert outcome.model.threshold is not None
    assert 0 < outcome.model.threshold < 1


def test_a_test_split_judges_the_model_itself(case: Case, workbench: Workbench) -> None:
    for _ in range(10):
        for label in (None, RED, BLUE):
            case.add(label, split="TEST")
    for kind in (CLASSIFICATION, ANOMALY):
        outcome = run(case, workbench, kind)
        assert (outcome.method, outcome.folds) == ("TEST_SPLIT", 0)
        assert sorted(outcome.answers) == list(range(18, 48))
        assert set(outcome.fold_of.values()) == {0}


def test_groups_are_never_on_both_sides(case: Case, workbench: Workbench) -> None:
    case.annotations = [replace(one, group=f"board {i // 4}") for i, one in enumerate(case.annotations)]
    for kind in (CLASSIFICATION, ANOMALY):
        fold_of = run(case, workbench, kind).fold_of
        assert all(len({fold_of[i] for i in range(18) if i // 4 == board}) == 1 for board in range(5))


@pytest.mark.parametrize("kind", [CLASSIFICATION, ANOMALY])
def test_bytes_do_not_depend_on_threads(kind: str, case: Case, workbench: Workbench) -> None:
    outcomes = [run(case, replace(workbench, threads=threads), kind) for threads in (1, 2)]
    assert pack_image_model(outcomes[0].model) == pack_image_model(outcomes[1].model)
    assert outcomes[0].parity == outcomes[1].parity
    assert outcomes[0].metrics == outcomes[1].metrics
    names = [str(number) for number in range(18)]
    assert outcomes[0].predictions(names) == outcomes[1].predictions(names)


@pytest.mark.parametrize("kind", [CLASSIFICATION, ANOMALY])
def test_progress_rises_and_a_stop_is_heard(kind: str, case: Case, workbench: Workbench) -> None:
    reports: list[RunProgress] = []
    run(case, workbench, kind, on_progress=reports.append)
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[-1] == reports[-1].total
    assert "Looking at the images" in reports[0].message
    with pytest.raises(Stopped):
        run(case, workbench, kind, should_stop=lambda: True)
    told: list[RunProgress] = []
    with pytest.raises(Stopped):
        run(case, workbench, kind, on_progress=told.append, should_stop=lambda: len(told) > len(reports) // 2)
    assert len(told) < len(reports)


def test_an_image_of_two_classes_is_refused(case: Case, workbench: Workbench) -> None:
    both = np.array([[0, 0, 50, 50], [10, 10, 90, 90]], np.float32)
    case.annotations[4] = Annotation(both, np.array([RED, BLUE]))
    for kind in (CLASSIFICATION, ANOMALY):
        with pytest.raises(BadExample, match="image 4: has 2 classes, and an image of this kind of project has one"):
            run(case, workbench, kind)
    # Two boxes of one class are one class.
    case.annotations[4] = Annotation(both, np.array([RED, RED]))
    assert run(case, workbench, CLASSIFICATION).truths[4] == RED


def test_too_little_is_said_before_anything_is_computed(case: Case, workbench: Workbench) -> None:
    def refused(kind: str, error: type[Exception], match: str, annotations: list[Annotation]) -> None:
        given = Case(case.images[: len(annotations)], annotations, case.splits[: len(annotations)])
        with pytest.raises(error, match=match):
            run(given, workbench, kind)

    def labelled(*labels: int | None, group: str | None = None) -> list[Annotation]:
        made = Case()
        for label in labels:
            made.add(label, group=group)
        return made.annotations

    refused(CLASSIFICATION, NothingToLearn, "add images", [])
    refused(CLASSIFICATION, NothingToLearn, "all images are 'good': add images of another class", labelled(*[None] * 6))
    refused(CLASSIFICATION, NothingToLearn, "all images are 'red'", labelled(*[RED] * 6))
    refused(CLASSIFICATION, NothingToLearn, "left out there is one class", labelled(RED, *[BLUE] * 6))
    refused(CLASSIFICATION, NothingToLearn, "one image cannot both", labelled(RED))
    refused(CLASSIFICATION, TooFewGroups, "1 group", labelled(*[RED, BLUE] * 3, group="one"))
    refused(ANOMALY, NothingToLearn, "4 good images do not show what good looks like: add at least 1 without a class",
            labelled(*[None] * 4, *[RED] * 9))  # fmt: skip
    two = labelled(*[None] * 3, group="a") + labelled(*[None] * 3, group="b")
    refused(ANOMALY, NothingToLearn, "of too few groups to be held against each other", two)
    assert workbench.cache.bytes_used == 0


def test_no_two_outputs_have_one_name(case: Case, workbench: Workbench) -> None:
    recipe = find_image_recipe(CLASSIFICATION, "fast", **SMALL)
    outcome = run_images(
        CLASSIFICATION, case.images, case.annotations, ["good", "blue"], recipe, 0, splits=case.splits,
        workbench=workbench,
    )  # fmt: skip
    assert outcome.model.classes == ["good", "blue", "good (no class)"]


def test_the_size_follows_the_images() -> None:
    from training.vision.examples import check_examples

    def sides(*longest: int) -> tuple[int, int]:
        images = [np.zeros((10, side, 3), np.uint8) for side in longest]
        examples = check_examples(images, [Annotation() for _ in images], 0, needs_box=False)
        return choose_image_side(examples, 256), choose_image_side(examples, 320)

    assert sides(300) == sides(384) == (256, 320)
    assert sides(385) == sides(768) == (384, 448)
    assert sides(769) == sides(4000) == (512, 576)
    assert sides(300, 300, 4000) == (256, 320), "one large image is no reason"
    recipe = find_image_recipe(ANOMALY, "fast", long_side=192)
    assert settle_image_recipe(recipe, []).long_side == 192


def test_recipes_are_found_by_kind_and_name() -> None:
    assert find_image_recipe(ANOMALY, "fast").components == 256
    assert find_image_recipe(CLASSIFICATION, "fast", folds=5).to_json()["folds"] == 5
    with pytest.raises(UnknownRecipe, match="no recipe 'full' of kind ANOMALY; there are: fast"):
        find_image_recipe(ANOMALY, "full")
    with pytest.raises(UnknownRecipe, match="steps"):
        find_image_recipe(ANOMALY, "fast", steps=3)
