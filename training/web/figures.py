"""What a model's evaluation says, for pages: drawn, and in words."""

from collections.abc import Mapping
from typing import Any

from projects.models import Project
from training.domain.queries import evaluation_of
from training.models import Evaluation, Model
from training.web.intervals import class_figures, drawn, percent

# Of each kind of project: the measure that stands for all, its name, and of a class what is measured over what.
_MAIN = {
    Project.Kind.DETECTION: ("ap50", "AP50", "ap50", "box"),
    Project.Kind.CLASSIFICATION: ("accuracy", "Accuracy", "recall", "image"),
    Project.Kind.ANOMALY: ("auroc", "AUROC", "detection_rate", "image"),
}
# All that are drawn on a model's page; those that its kind does not have are empty.
_DRAWN = ("ap50", "ap", "accuracy", "auroc", "ece", "log_loss", "false_alarm_rate", "detection_rate")


def figures(model: Model) -> dict[str, Any]:
    """The model with its figures; without an evaluation they are empty. `model` came with its evaluations."""
    evaluation = evaluation_of(model)
    metrics: Mapping[str, Any] = evaluation.metrics if evaluation else {}
    main, name, measure, thing = _MAIN[kind_of(metrics)]
    classes = [class_figures(one, measure=measure, thing=thing) for one in metrics.get("classes", [])]
    return {
        "model": model,
        "evaluation": evaluation,
        "metrics": metrics,
        "method": _method(evaluation) if evaluation else "",
        "main": drawn(metrics.get(main)),
        "main_name": name,
        **{one: drawn(metrics.get(one)) for one in _DRAWN},
        "classes": classes,
        "weak": [one for one in classes if one.tone],
        "confusion": _confusion(metrics),
        # In percent: of good images, those that may be taken for defective.
        "stated": percent(metrics.get("stated_false_alarm_rate") or 0.0),
    }


def main_name(kind: str) -> str:
    """What the measure is called that stands for all of a model's, for a project of this kind."""
    return _MAIN[Project.Kind(kind)][1]


def kind_of(metrics: Mapping[str, Any]) -> Project.Kind:
    """Of the models that they are of; those of detectors do not say it."""
    return Project.Kind(metrics.get("kind", Project.Kind.DETECTION))


def _confusion(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Names over the columns, and each row's name with its cells: (count, whether it is as it should be)."""
    if "confusion" not in metrics:
        return None
    names = [one["name"] for one in metrics["classes"]]
    rows = [
        (names[row], [(count, row == column) for column, count in enumerate(counts)])
        for row, counts in enumerate(metrics["confusion"])
    ]
    return {"names": names, "rows": rows}


def _method(evaluation: Evaluation) -> str:
    """How it was judged, to somebody who has never heard of folds."""
    images = f"{evaluation.image_count} images"
    if evaluation.method == Evaluation.Method.TEST_SPLIT:
        return f"On the {images} of the test split, none of which it has learned from."
    return (
        f"Out of fold: each of the {images} was judged by a sibling of this model that had not learned from it"
        f" ({evaluation.folds} siblings, each of which left out its share). The model itself learned from all of them."
    )
