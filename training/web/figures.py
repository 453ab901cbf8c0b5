"""What a model's evaluation says, for pages: drawn, and in words."""

from typing import Any

from training.domain.queries import evaluation_of
from training.models import Evaluation, Model
from training.web.intervals import class_figures, drawn


def figures(model: Model) -> dict[str, Any]:
    """The model with its figures; without an evaluation they are empty. `model` came with its evaluations."""
    evaluation = evaluation_of(model)
    metrics = evaluation.metrics if evaluation else {}
    classes = [class_figures(measured) for measured in metrics.get("classes", [])]
    return {
        "model": model,
        "evaluation": evaluation,
        "method": _method(evaluation) if evaluation else "",
        "ap50": drawn(metrics.get("ap50")),
        "ap": drawn(metrics.get("ap")),
        "classes": classes,
        "weak": [one for one in classes if one.tone],
    }


def _method(evaluation: Evaluation) -> str:
    """How it was judged, to somebody who has never heard of folds."""
    images = f"{evaluation.image_count} images"
    if evaluation.method == Evaluation.Method.TEST_SPLIT:
        return f"On the {images} of the test split, none of which it has learned from."
    return (
        f"Out of fold: each of the {images} was judged by a sibling of this model that had not learned from it"
        f" ({evaluation.folds} siblings, each of which left out its share). The model itself learned from all of them."
    )
