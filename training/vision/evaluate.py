"""How good a model is, said honestly: no image is judged by a model that learnt from it or from its group."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.vision.artifacts import Trained
from training.vision.bootstrap import ScoreIntervals, estimate_intervals
from training.vision.examples import Example
from training.vision.few_shot import Workbench, predict_images
from training.vision.metrics import Truth, match_detections
from training.vision.predictions import Prediction
from training.vision.train import ShouldStop, Stopped


@dataclass(frozen=True)
class Evaluation:
    """Predictions of the images judged, by their index in the run, and the scores with intervals over images."""

    predictions: dict[int, Prediction]
    intervals: ScoreIntervals


def score_predictions(
    predictions: dict[int, Prediction],
    examples: Sequence[Example],
    classes: int,
    seed: int,
    *,
    should_stop: ShouldStop | None = None,
) -> Evaluation:
    """`predictions` by index into `examples`. Raises Stopped when told to stop."""
    judged = sorted(predictions)
    truths = [Truth(examples[index].boxes, examples[index].classes) for index in judged]
    matches = match_detections([predictions[index] for index in judged], truths, classes)

    def check() -> None:
        if should_stop and should_stop():
            raise Stopped(0)

    return Evaluation(
        {index: predictions[index] for index in judged}, estimate_intervals(matches, seed=seed, check=check)
    )


def evaluate_model(trained: Trained, examples: Sequence[Example], *, workbench: Workbench, seed: int = 0) -> Evaluation:
    """Judge a model on images that it has not seen."""
    found = predict_images(trained, [example.image for example in examples], workbench)
    return score_predictions(dict(enumerate(found)), examples, len(trained.classes), seed)
