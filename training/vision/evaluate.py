"""How good a model is, said honestly: no image is judged by a model that learnt from it or from its group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.vision.artifacts import Trained
from training.vision.bootstrap import ScoreIntervals, estimate_intervals
from training.vision.examples import Annotation, Image, check_examples
from training.vision.features import choose_long_side
from training.vision.few_shot import OnFeatures, Workbench, predict_images, train_fast
from training.vision.folds import assign_folds
from training.vision.metrics import Truth, match_detections
from training.vision.recipes import Recipe
from training.vision.sessions import Prediction
from training.vision.train import ShouldStop

OnEvaluation = Callable[[int, int, int, int, dict[str, float]], None]  # fold (from 1), folds, step, steps, losses


@dataclass(frozen=True)
class Evaluation:
    """Predictions in the order of the images, and their scores with intervals over images.

    `folds` names for each image the fold in which it was left out; None where a separate test set was judged.
    """

    predictions: list[Prediction]
    intervals: ScoreIntervals
    folds: list[int] | None


def evaluate_out_of_fold(
    images: Sequence[Image],
    annotations: Sequence[Annotation],
    classes: Sequence[str],
    recipe: Recipe,
    seed: int,
    *,
    workbench: Workbench,
    on_progress: OnEvaluation | None = None,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
    checkpoints: Path | None = None,
) -> Evaluation:
    """Train once a fold on the other folds and predict the images left out.

    `checkpoints` is a folder for one checkpoint a fold; finished folds found there are not trained again. Raises
    TooFewGroups, and NothingToLearn where all boxes are in one fold, besides what train_fast raises.
    """
    examples = check_examples(images, annotations, len(classes))
    folds = assign_folds(examples, recipe.folds, seed)
    # One size for all folds: each would choose about the same, and they share the cached features.
    long_side = recipe.long_side or choose_long_side(examples)
    if checkpoints:
        checkpoints.mkdir(parents=True, exist_ok=True)
    predictions: dict[int, Prediction] = {}
    count = max(folds) + 1
    for fold in range(count):
        kept = [index for index, number in enumerate(folds) if number != fold]
        left_out = [index for index, number in enumerate(folds) if number == fold]
        trained = train_fast(
            [images[index] for index in kept], [annotations[index] for index in kept], classes, recipe, seed,
            workbench=workbench, long_side=long_side, on_features=on_features, should_stop=should_stop,
            on_progress=_report_fold(on_progress, fold + 1, count),
            checkpoint=checkpoints / f"fold-{fold}.safetensors" if checkpoints else None,
        )  # fmt: skip
        found = predict_images(trained, [images[index] for index in left_out], workbench)
        predictions.update(zip(left_out, found, strict=True))
    ordered = [predictions[index] for index in range(len(images))]
    return Evaluation(ordered, _score(ordered, images, annotations, len(classes), seed), folds)


def evaluate_model(
    trained: Trained, images: Sequence[Image], annotations: Sequence[Annotation], *, workbench: Workbench, seed: int = 0
) -> Evaluation:
    """Judge a model on images that it has not seen."""
    predictions = predict_images(trained, images, workbench)
    return Evaluation(predictions, _score(predictions, images, annotations, len(trained.classes), seed), None)


def _score(
    predictions: list[Prediction], images: Sequence[Image], annotations: Sequence[Annotation], classes: int, seed: int
) -> ScoreIntervals:
    truths = [Truth(e.boxes, e.classes) for e in check_examples(images, annotations, classes)]
    return estimate_intervals(match_detections(predictions, truths, classes), seed=seed)


def _report_fold(
    on_progress: OnEvaluation | None, fold: int, folds: int
) -> Callable[[int, int, dict[str, float]], None] | None:
    if on_progress is None:
        return None
    return lambda step, steps, losses: on_progress(fold, folds, step, steps, losses)
