"""A whole run for a kind that judges whole images: classification, or anomaly learnt from good images alone.

Plan and rules are those of `runs`: nothing is judged by what learnt from it or from its group. What a training settles
by itself (penalty, calibration, threshold) it settles on folds of its own images, so that is judged with it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from training.vision.examples import Annotation, BadExample, Example, Image, check_examples
from training.vision.few_shot import Workbench, fingerprint_run
from training.vision.folds import assign_folds
from training.vision.image_exports import make_image_parity
from training.vision.image_features import Load, prepare_descriptions, settle_image_recipe
from training.vision.image_graphs import SPECS, build_image_head_graph
from training.vision.image_models import ImageModel, store_image_weights
from training.vision.image_recipes import ANOMALY, CLASSIFICATION, ImageRecipe
from training.vision.image_sessions import ImageHeadSession, PairedJudge
from training.vision.image_tasks import GOOD, AnomalyTask, Answer, ClassificationTask, Given, Task
from training.vision.progress import OnRunProgress, ProgressBoard
from training.vision.runs import FINAL, Training, compute_side_by_side, plan_run
from training.vision.train import ShouldStop, Stopped

_TASKS: dict[str, type[ClassificationTask] | type[AnomalyTask]] = {
    CLASSIFICATION: ClassificationTask,
    ANOMALY: AnomalyTask,
}


@dataclass(frozen=True)
class ImageOutcome:
    """`examples` are the checked images in their order; `answers` and `fold_of` are by index of the judged ones."""

    model: ImageModel
    method: str
    folds: int
    fold_of: dict[int, int]
    examples: list[Example]
    truths: list[int]  # of each example: output of a classifier; else its class, or -1 for a good one
    answers: dict[int, Answer]
    metrics: dict[str, Any]
    parity: bytes

    def predictions(self, names: Sequence[str]) -> bytes:
        """predictions.json; `names` are those of the images in their order."""
        images = [
            {
                "image": names[index], "fold": self.fold_of[index], "width": self.examples[index].width,
                "height": self.examples[index].height, "truth": self.truths[index], **answer.to_json(),
            }
            for index, answer in self.answers.items()
        ]  # fmt: skip
        document = {
            "format": 1, "kind": self.model.kind, "method": self.method, "classes": self.model.classes,
            "images": images,
        }  # fmt: skip
        if self.model.threshold is not None:
            document["threshold"] = self.model.threshold
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def run_images(  # noqa: PLR0917 - run_recipe's, after the kind
    kind: str,
    images: Sequence[Image],
    annotations: Sequence[Annotation],
    classes: Sequence[str],
    recipe: ImageRecipe,
    seed: int,
    *,
    splits: Sequence[str],
    workbench: Workbench,
    on_progress: OnRunProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> ImageOutcome:
    """Train and evaluate. An image's boxes are all of its class; without any it is good.

    Raises BadExample, NothingToLearn and TooFewGroups before computing anything, and Stopped within about a second of
    being told. Sets torch to one thread: bytes must not depend on how many there are.
    """
    torch.set_num_threads(1)
    examples = check_examples(images, annotations, len(classes), needs_box=False)
    task: Task = _TASKS[kind]([find_label(example, index) for index, example in enumerate(examples)], classes, recipe)
    dealt = [_mark_whole(example, task.strata[index]) for index, example in enumerate(examples)]
    plan = plan_run(dealt, splits, recipe, seed, 1 + max(task.strata))
    trainings = [replace(t, learnt=[index for index in t.learnt if task.learnable[index]]) for t in plan.trainings]
    for training in trainings:
        task.refuse_too_little(training.learnt, [example.group for example in examples])
    recipe = settle_image_recipe(recipe, examples)
    used = sorted({index for training in trainings for index in training.learnt})
    board = ProgressBoard(on_progress, views=len(used), steps={training.name: task.steps for training in trainings})
    loads = prepare_descriptions(
        [examples[index] for index in used], recipe, workbench,
        on_features=board.note_features, should_stop=should_stop,
    )  # fmt: skip
    heads = ImageHeadSession(build_image_head_graph(SPECS[kind], workbench.backbone.module).SerializeToString())
    judge = PairedJudge(workbench.session, heads)
    run = _Run(task, dealt, recipe, seed, workbench, dict(zip(used, loads, strict=True)), judge, board)
    results = compute_side_by_side(run.compute, trainings, workbench.threads, should_stop)
    board.note_judging()
    answers = {index: answer for _, judged in results.values() for index, answer in judged.items()}
    answers = {index: answers[index] for index in sorted(answers)}
    model, _ = results[FINAL]
    metrics = {"kind": kind, **task.measure(answers, model, seed=seed)}
    parity = make_image_parity(model, examples, workbench.backbone)
    board.note_done()
    fold_of = {index: fold for fold, training in enumerate(trainings) for index in training.judged}
    return ImageOutcome(model, plan.method, plan.folds, fold_of, examples, task.truths, answers, metrics, parity)


def find_label(example: Example, index: int) -> int:
    """The class of an image, or -1 for a good one. Raises BadExample where its boxes are of several."""
    labels = sorted({int(label) for label in example.classes})
    if len(labels) > 1:
        raise BadExample(
            f"has {len(labels)} classes, and an image of this kind of project has one or none", image=index
        )
    return labels[0] if labels else GOOD


def _mark_whole(example: Example, stratum: int) -> Example:
    """The example as one of a stratum: folds and splits are dealt by the classes of boxes."""
    whole = np.array([[0, 0, example.width, example.height]], np.float32)
    return replace(example, boxes=whole, classes=np.array([stratum]))


@dataclass(frozen=True)
class _Run:
    """What all trainings of a run have in common."""

    task: Task
    examples: list[Example]
    recipe: ImageRecipe
    seed: int
    workbench: Workbench
    loads: Mapping[int, Load]
    judge: PairedJudge
    board: ProgressBoard

    def compute(self, training: Training, should_stop: ShouldStop) -> tuple[ImageModel, dict[int, Answer]]:
        reached = 0

        def note_step() -> None:
            nonlocal reached
            if should_stop():
                raise Stopped(reached)
            reached += 1
            self.board.note_step(training.name, min(reached, self.task.steps), {})

        model = self._learn(training, note_step)
        answers: dict[int, Answer] = {}
        weights = model.restored()
        for index in training.judged:
            if should_stop():
                raise Stopped(reached)
            found = self.judge.judge(self.examples[index].pixels(), weights, model.long_side)
            answers[index] = self.task.read(found, model)
        self.board.note_step(training.name, self.task.steps, {})
        return model, answers

    def _learn(self, training: Training, note_step: Callable[[], None]) -> ImageModel:
        own, backbone = [self.examples[index] for index in training.learnt], self.workbench.backbone
        loads = [self.loads[index] for index in training.learnt]
        folds = np.array(assign_folds(own, self.recipe.inner_folds, self.seed))
        learnt = self.task.learn(Given(training.learnt, loads, folds, self.recipe, self.seed), note_step)
        return ImageModel(
            weights=store_image_weights(learnt.weights), classes=self.task.names, heads=SPECS[self.recipe.kind],
            long_side=self.recipe.long_side, backbone=backbone.name, backbone_sha256=backbone.sha256,
            recipe=self.recipe.to_json(), seed=self.seed,
            fingerprint=fingerprint_run(own, self.task.names, self.recipe, seed=self.seed, backbone=backbone.sha256),
            threshold=learnt.threshold.value if learnt.threshold else None,
            false_alarms=learnt.threshold.false_alarms if learnt.threshold else None,
        )  # fmt: skip
