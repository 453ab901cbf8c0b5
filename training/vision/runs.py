"""A whole run of a recipe: what is trained and judged on what, from images to an evaluated model.

With a test split of its own the model is judged on that. Else each image is judged by a sibling that learnt neither
from it nor from its group, and the published model learns from all. The trainings of a run go side by side, each on
one core.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import torch

from training.vision.artifacts import Trained
from training.vision.checkpoints import Checkpoint, CheckpointMismatch, Checkpoints
from training.vision.choosing import choose_recipe
from training.vision.evaluate import Evaluation, score_predictions
from training.vision.examples import Annotation, Example, Image, NothingToLearn, check_examples
from training.vision.features import settle_recipe
from training.vision.few_shot import Workbench, predict_images, prepare_views, train_fast
from training.vision.fine_tuning import Picture, prepare_pictures, train_full
from training.vision.folds import assign_folds
from training.vision.image_recipes import ImageRecipe
from training.vision.parity import Parity, make_parity
from training.vision.predictions import Prediction
from training.vision.progress import OnRunProgress, ProgressBoard
from training.vision.recipes import Recipe
from training.vision.train import ShouldStop, Stopped, TrainView

OUT_OF_FOLD, TEST_SPLIT = "OUT_OF_FOLD", "TEST_SPLIT"
FINAL = "final"
Result = TypeVar("Result")
_Views = list[TrainView] | list[Picture]  # of one image, as its recipe learns them
LEAST_TEST_IMAGES, LEAST_TEST_BOXES = 30, 5  # with boxes; of every class. Fewer say little of a model


@dataclass(frozen=True)
class Training:
    """One training of a run: indices of the images learnt from, and of those that its model is judged on."""

    name: str
    learnt: list[int]
    judged: list[int]


@dataclass(frozen=True)
class Plan:
    method: str
    folds: int  # 0 with a test split
    trainings: list[Training]  # the published one first


@dataclass(frozen=True)
class RunOutcome:
    """`examples` are the checked images in their order; `curve` is the published model's losses, step by step."""

    trained: Trained
    evaluation: Evaluation
    method: str
    folds: int
    fold_of: dict[int, int]
    parity: Parity
    examples: list[Example]
    curve: list[tuple[int, Mapping[str, float]]]
    why: str  # this recipe, where that was left to the run


def run_recipe(
    images: Sequence[Image],
    annotations: Sequence[Annotation],
    classes: Sequence[str],
    recipe: Recipe,
    seed: int,
    *,
    splits: Sequence[str],
    workbench: Workbench,
    on_progress: OnRunProgress | None = None,
    should_stop: ShouldStop | None = None,
    checkpoints: Checkpoints | None = None,
) -> RunOutcome:
    """Train and evaluate; a training found finished or begun in `checkpoints` is gone on with.

    Raises BadExample, NothingToLearn and TooFewGroups before computing anything, Stopped within a second of being told,
    and NonFiniteLoss. Sets torch to one thread: bytes must not depend on how many there are.
    """
    torch.set_num_threads(1)
    examples = check_examples(images, annotations, len(classes))
    chosen = choose_recipe(recipe, examples, has_gpu=False)  # trainings are computed on the CPU so far
    plan = plan_run(examples, splits, chosen.recipe, seed, len(classes))
    recipe = settle_recipe(chosen.recipe, examples)
    learnt = sorted(set(chain.from_iterable(training.learnt for training in plan.trainings)))
    recipes = {training.name: shorten_recipe(recipe, training, plan) for training in plan.trainings}
    steps = {name: shortened.steps for name, shortened in recipes.items()}
    board = ProgressBoard(on_progress, views=len(learnt) * recipe.views, steps=steps)
    prepare = prepare_views if recipe.caches_views else prepare_pictures
    views: Sequence[_Views] = prepare(
        [examples[index] for index in learnt], recipe, workbench,
        on_features=board.note_features, should_stop=should_stop,
    )  # fmt: skip
    run = _Run(examples, list(classes), recipes, seed, workbench, dict(zip(learnt, views, strict=True)), checkpoints)
    results = compute_side_by_side(
        lambda training, stop: run.compute(training, board, stop), plan.trainings, workbench.threads, should_stop
    )
    board.note_judging()
    predictions = {index: found for _, judged in results.values() for index, found in judged.items()}
    evaluation = score_predictions(predictions, examples, len(classes), seed, should_stop=should_stop)
    trained = results[FINAL][0]
    parity = make_parity(trained, [example for example in examples if len(example.boxes)], workbench)
    board.note_done()
    fold_of = {index: fold for fold, t in enumerate(plan.trainings) for index in t.judged}
    return RunOutcome(trained, evaluation, plan.method, plan.folds, fold_of, parity, examples, board.curve, chosen.why)


def plan_run(
    examples: Sequence[Example], splits: Sequence[str], recipe: Recipe | ImageRecipe, seed: int, classes: int
) -> Plan:
    """Decide what is judged on what. Raises NothingToLearn and TooFewGroups with what to add."""
    if len(examples) < 2:
        raise NothingToLearn("one image cannot both be learnt from and judged on: add at least one more")
    learnt, tested = _split_off_test(examples, splits)
    if _is_enough(examples, learnt, tested, classes):
        return Plan(TEST_SPLIT, 0, [Training(FINAL, learnt, tested)])
    folds = assign_folds(examples, recipe.folds, seed)
    trainings = [Training(FINAL, list(range(len(examples))), [])]
    for fold in range(max(folds) + 1):
        kept = [index for index, number in enumerate(folds) if number != fold]
        if not any(len(examples[index].boxes) for index in kept):
            raise NothingToLearn("all boxes are in images of one group: mark defects in images of another")
        left_out = [index for index, number in enumerate(folds) if number == fold]
        trainings.append(Training(f"fold-{fold + 1}", kept, left_out))
    return Plan(OUT_OF_FOLD, len(trainings) - 1, trainings)


def shorten_recipe(recipe: Recipe, training: Training, plan: Plan) -> Recipe:
    """A sibling sees each image as often as the model does; it has fewer of them, so it takes fewer steps."""
    share = len(training.learnt) / len(plan.trainings[0].learnt)
    return replace(recipe, steps=max(1, round(recipe.steps * share)))


def _split_off_test(examples: Sequence[Example], splits: Sequence[str]) -> tuple[list[int], list[int]]:
    """Indices learnt and tested; an image of a group that is learnt from is not tested, wherever it was put."""
    groups = {e.group for e, split in zip(examples, splits, strict=True) if split != "TEST"}
    tested = [i for i, e in enumerate(examples) if splits[i] == "TEST" and e.group not in groups]
    kept = set(tested)
    return [i for i in range(len(examples)) if i not in kept], tested


def _is_enough(examples: Sequence[Example], learnt: list[int], tested: list[int], classes: int) -> bool:
    if sum(len(examples[index].boxes) > 0 for index in tested) < LEAST_TEST_IMAGES:
        return False
    counts = [0] * classes
    for index in tested:
        for class_index in examples[index].classes:
            counts[int(class_index)] += 1
    return min(counts) >= LEAST_TEST_BOXES and any(len(examples[index].boxes) for index in learnt)


@dataclass(frozen=True)
class _Run:
    """What all trainings of a run have in common."""

    examples: list[Example]
    classes: list[str]
    recipes: Mapping[str, Recipe]  # of each training
    seed: int
    workbench: Workbench
    views: Mapping[int, _Views]
    checkpoints: Checkpoints | None

    def compute(
        self, training: Training, board: ProgressBoard, should_stop: ShouldStop
    ) -> tuple[Trained, dict[int, Prediction]]:
        checkpoint = Checkpoint(self.checkpoints, training.name) if self.checkpoints else None
        try:
            trained = self._train(training, board, should_stop, checkpoint)
        except CheckpointMismatch:
            # Of other data, or damaged: nothing is lost but time.
            trained = self._train(training, board, should_stop, checkpoint.renewed() if checkpoint else None)
        found = predict_images(
            trained, [self.examples[index].image for index in training.judged], self.workbench, should_stop=should_stop
        )
        return trained, dict(zip(training.judged, found, strict=True))

    def _train(
        self, training: Training, board: ProgressBoard, should_stop: ShouldStop, checkpoint: Checkpoint | None
    ) -> Trained:
        recipe = self.recipes[training.name]
        train: Callable[..., Trained] = train_fast if recipe.caches_views else train_full
        return train(
            [self.examples[index] for index in training.learnt], self.classes, recipe, self.seed,
            workbench=self.workbench, views=[v for index in training.learnt for v in self.views[index]],
            on_progress=lambda step, _, losses: board.note_step(training.name, step, losses),
            should_stop=should_stop, checkpoint=checkpoint,
        )  # fmt: skip


def compute_side_by_side(
    compute: Callable[[Training, ShouldStop], Result],
    trainings: Sequence[Training],
    threads: int,
    should_stop: ShouldStop | None,
) -> dict[str, Result]:
    """Compute each training on a thread of its own, so many at a time; a failure ends all. Results are by name."""
    given_up = threading.Event()
    stop = _either(given_up, should_stop)
    with ThreadPoolExecutor(threads) as pool:
        futures = {t.name: pool.submit(compute, t, stop) for t in trainings}
        wait(futures.values(), return_when=FIRST_EXCEPTION)
        given_up.set()
    return {name: future.result() for name, future in _failed_first(futures)}


def _either(given_up: threading.Event, should_stop: ShouldStop | None) -> Callable[[], bool]:
    return lambda: given_up.is_set() or bool(should_stop and should_stop())


def _failed_first(futures: dict[str, Future[Result]]) -> list[tuple[str, Future[Result]]]:
    """Those that failed of themselves first: the others were only stopped because of them."""
    return sorted(
        futures.items(), key=lambda item: item[1].exception() is None or isinstance(item[1].exception(), Stopped)
    )
