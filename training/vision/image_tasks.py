"""What the two kinds that judge whole images do each in its own way: what is learnt, answered and measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from training.vision.anomaly import Threshold, train_anomaly
from training.vision.classification import PENALTIES, Lesson, train_classifier
from training.vision.examples import NothingToLearn
from training.vision.image_features import Load
from training.vision.image_metrics import estimate_auroc, estimate_share, score_classification
from training.vision.image_models import ImageModel
from training.vision.image_recipes import ImageRecipe
from training.vision.weights import Floats

GOOD = -1  # the label of an image without a class
LEAST_GOOD, LEAST_GROUPS = 5, 2  # images, to know what good looks like; and groups, to hold them against each other


@dataclass(frozen=True)
class Given:
    """What a training learns from: indices of images (n), what reads them, and their inner folds (n,)."""

    indices: Sequence[int]
    loads: Sequence[Load]
    folds: npt.NDArray[np.int64]
    recipe: ImageRecipe
    seed: int


@dataclass(frozen=True)
class Learnt:
    weights: dict[str, Floats]
    threshold: Threshold | None = None


@dataclass(frozen=True)
class ClassAnswer:
    probabilities: npt.NDArray[np.float32]  # (K,)

    def to_json(self) -> dict[str, object]:
        return {"probabilities": [round(float(probability), 6) for probability in self.probabilities]}


@dataclass(frozen=True)
class AnomalyAnswer:
    """`anomalous` by the threshold of the model that judged, a sibling's where the image was left out of a fold."""

    score: float
    anomalous: bool

    def to_json(self) -> dict[str, object]:
        return {"score": round(self.score, 6), "anomalous": self.anomalous}


Answer = ClassAnswer | AnomalyAnswer


class Task(Protocol):
    """A run's labels, as its kind takes them; lists are by image."""

    names: list[str]  # the model's classes
    truths: list[int]  # what predictions.json holds as `truth`
    strata: list[int]  # from 0: folds, and a test split, need images of each
    learnable: list[bool]
    steps: int  # that a training reports, at most

    def refuse_too_little(self, learnt: Sequence[int], groups: Sequence[str]) -> None:
        """Raise NothingToLearn where these images of these groups are not enough to be learnt from."""

    def learn(self, given: Given, on_step: Callable[[], None]) -> Learnt: ...

    def read(self, found: Mapping[str, Floats], model: ImageModel) -> Answer:
        """The model's graph's outputs as an answer."""

    def measure(self, answers: Mapping[int, Any], model: ImageModel, *, seed: int) -> dict[str, Any]:
        """Metrics, as JSON, of answers by image; `model` is the published one."""


class ClassificationTask:
    """Outputs are the classes in their order, and the good images' last, if there are any."""

    def __init__(self, labels: Sequence[int], classes: Sequence[str], recipe: ImageRecipe) -> None:
        self.has_good = GOOD in labels
        self.names = [*classes, name_good(classes)] if self.has_good else list(classes)
        self.truths = [len(classes) if label == GOOD else label for label in labels]
        self.strata, self.learnable = self.truths, [True] * len(labels)
        self.steps = len(PENALTIES) + 2 * recipe.inner_folds

    def refuse_too_little(self, learnt: Sequence[int], groups: Sequence[str]) -> None:
        if len(set(self.truths)) < 2:
            name = self.names[self.truths[0]]
            raise NothingToLearn(f"all images are {name!r}: add images of another class, or without any")
        if min(len({self.truths[index] for index in learnt}), len({groups[index] for index in learnt})) < 2:
            raise NothingToLearn("with some images left out there is one class or group: add some of each class")

    def learn(self, given: Given, on_step: Callable[[], None]) -> Learnt:
        outputs = np.array([self.truths[index] for index in given.indices])
        # Where no image is good, what is most frequent stands for it.
        reference = len(self.names) - 1 if self.has_good else int(np.bincount(outputs).argmax())
        lesson = Lesson(given.loads, outputs, given.folds, len(self.names), reference)
        return Learnt(train_classifier(lesson, given.recipe, seed=given.seed, on_step=on_step))

    def read(self, found: Mapping[str, Floats], model: ImageModel) -> ClassAnswer:  # noqa: ARG002 - a Task's
        return ClassAnswer(found["probabilities"])

    def measure(self, answers: Mapping[int, Any], model: ImageModel, *, seed: int) -> dict[str, Any]:
        probabilities = np.array([answer.probabilities for answer in answers.values()])
        truths = np.array([self.truths[index] for index in answers])
        return score_classification(probabilities, truths, seed).to_json(model.classes)


class AnomalyTask:
    """Good images are learnt from, and the others only judged; the model's classes are but names."""

    def __init__(self, labels: Sequence[int], classes: Sequence[str], recipe: ImageRecipe) -> None:
        self.names, self.truths = list(classes), list(labels)
        self.strata = [int(label != GOOD) for label in labels]
        self.learnable = [label == GOOD for label in labels]
        self.steps = 2 * recipe.inner_folds

    def refuse_too_little(self, learnt: Sequence[int], groups: Sequence[str]) -> None:
        good = sum(self.learnable)
        if good < LEAST_GOOD:
            raise NothingToLearn(
                f"{good} good images do not show what good looks like: add at least {LEAST_GOOD - good} without a class"
            )
        if len({groups[index] for index in learnt}) < LEAST_GROUPS:
            raise NothingToLearn("the good images are of too few groups to be held against each other: add others")

    def learn(self, given: Given, on_step: Callable[[], None]) -> Learnt:
        return Learnt(*train_anomaly(given.loads, given.folds, given.recipe, on_step=on_step))

    def read(self, found: Mapping[str, Floats], model: ImageModel) -> AnomalyAnswer:
        score = float(found["score"][0])
        return AnomalyAnswer(score, model.threshold is not None and score >= model.threshold)

    def measure(self, answers: Mapping[int, Any], model: ImageModel, *, seed: int) -> dict[str, Any]:
        truths = np.array([self.truths[index] for index in answers])
        scores = np.array([answer.score for answer in answers.values()])
        alarms = np.array([answer.anomalous for answer in answers.values()])

        def share(chosen: npt.NDArray[np.bool_]) -> dict[str, float] | None:
            return estimate_share(int(alarms[chosen].sum()), int(chosen.sum())).to_json()

        return {
            "auroc": estimate_auroc(scores, truths != GOOD, seed).to_json(),
            "false_alarm_rate": share(truths == GOOD),
            "detection_rate": share(truths != GOOD),
            "threshold": model.threshold,
            "stated_false_alarm_rate": model.false_alarms,
            "good": int((truths == GOOD).sum()),
            "defective": int((truths != GOOD).sum()),
            "classes": [
                {"index": i, "name": name, "images": int((truths == i).sum()), "detection_rate": share(truths == i)}
                for i, name in enumerate(self.names)
            ],
        }


def name_good(classes: Sequence[str]) -> str:
    """What the output of images without a class is called; no two outputs may have one name."""
    name = "good"
    while name in classes:
        name += " (no class)"
    return name
