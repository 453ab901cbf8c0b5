"""How good a model is, as a table: each class's AP with its interval, and a bar that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from myriad.resources.models import Comparison, Difference, Evaluation, Interval

_BAR = 30  # characters from 0 to 1
HEADINGS = ("CLASS", "IMAGES", "BOXES", "AP50", "95 %", "0" + "1".rjust(_BAR - 1), "AP", "95 %")
_CLASSIFIED = ("CLASS", "IMAGES", "RECALL", "95 %", "0" + "1".rjust(_BAR - 1), "PRECISION", "95 %")
_NOTICED = ("IMAGES OF", "IMAGES", "ANOMALOUS", "95 %", "0" + "1".rjust(_BAR - 1))
DIFFERENCE_HEADINGS = ("CLASS", "AP50 A", "AP50 B", "B - A", "95 %")
_METHODS = {"OUT_OF_FOLD": "out of fold", "TEST_SPLIT": "test split"}
ALL = "ALL"


def score_table(evaluation: Evaluation) -> tuple[list[list[str]], Sequence[str]]:
    """Give rows and headings, as the model's kind has them."""
    if evaluation.metrics.kind == "CLASSIFICATION":
        return _classified_rows(evaluation), _CLASSIFIED
    if evaluation.metrics.kind == "ANOMALY":
        return _noticed_rows(evaluation), _NOTICED
    return score_rows(evaluation), HEADINGS


def _classified_rows(evaluation: Evaluation) -> list[list[str]]:
    """The last row is accuracy: the share of all images that are told rightly."""
    metrics = evaluation.metrics
    rows = [
        [item.name, f"{item.images:,}", *_shown(item.recall), _value(item.precision), _bounds(item.precision)]
        for item in metrics.classes
    ]
    return [*rows, [ALL, f"{evaluation.image_count:,}", *_shown(metrics.accuracy), "", ""]]


def _noticed_rows(evaluation: Evaluation) -> list[list[str]]:
    """The share of images that are called anomalous: of good ones that is wrong, of all others right."""
    metrics = evaluation.metrics
    rows = [[item.name, f"{item.images:,}", *_shown(item.detection_rate)] for item in metrics.classes]
    defective = ["ALL DEFECTIVE", f"{metrics.defective:,}", *_shown(metrics.detection_rate)]
    return [["GOOD", f"{metrics.good:,}", *_shown(metrics.false_alarm_rate)], *rows, defective]


def _shown(interval: Interval | None) -> Sequence[str]:
    return [_value(interval), _bounds(interval), bar(interval)]


def score_rows(evaluation: Evaluation) -> list[list[str]]:
    """Give a row for each class, and one for all."""
    metrics = evaluation.metrics
    rows = [
        [item.name, f"{item.images:,}", f"{item.boxes:,}", *_figures(item.ap50, item.ap)] for item in metrics.classes
    ]
    total = [ALL, f"{evaluation.image_count:,}", f"{evaluation.box_count:,}", *_figures(metrics.ap50, metrics.ap)]
    return [*rows, total]


def difference_rows(comparison: Comparison) -> list[list[str]]:
    """Give a row for each class, and one for all: what A and B score, and how much more B does."""
    rows = [[item.name, *_difference(item.ap50)] for item in comparison.classes]
    return [*rows, [ALL, *_difference(comparison.ap50)]]


def method_line(evaluation: Evaluation) -> str:
    """Say what was measured on what."""
    method = _METHODS.get(evaluation.method, evaluation.method)
    folds = f", {evaluation.folds} folds" if evaluation.folds else ""
    boxes = f", {evaluation.box_count:,} boxes" if evaluation.metrics.kind == "DETECTION" else ""
    return f"{method}{folds}, {evaluation.image_count:,} images{boxes}"


def bar(interval: Interval | None) -> str:
    """Draw an interval between 0 and 1: dots outside, dashes from its low to its high bound, # at the value."""
    if interval is None or interval.value is None:
        return "." * _BAR
    cells = ["."] * _BAR
    if interval.low is not None and interval.high is not None:
        for place in range(_cell(interval.low), _cell(interval.high) + 1):
            cells[place] = "-"
    cells[_cell(interval.value)] = "#"
    return "".join(cells)


def _figures(ap50: Interval | None, ap: Interval | None) -> Sequence[str]:
    return [_value(ap50), _bounds(ap50), bar(ap50), _value(ap), _bounds(ap)]


def _cell(share: float) -> int:
    return min(_BAR - 1, max(0, int(share * _BAR)))


def _value(interval: Interval | None) -> str:
    return _share(interval.value if interval else None)


def _bounds(interval: Interval | None) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return "-"
    return f"{interval.low:.2f}-{interval.high:.2f}"


def _difference(found: Difference | None) -> Sequence[str]:
    if found is None:
        return ["-"] * 4
    more = "-" if found.value is None else f"{found.value:+.2f}"
    bounds = "-" if found.low is None or found.high is None else f"{found.low:+.2f} to {found.high:+.2f}"
    return [_share(found.a), _share(found.b), more, bounds]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
