"""Whole images that a model judged: what it said of each against what is true, the surest mistakes first."""

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from projects.models import Image, Project
from tenants.permissions import Principal
from tenants.storage import ObjectTooLarge, TenantStorage
from training.domain.artifacts import PREDICTIONS, ModelDamaged, read_artifact
from training.domain.evaluated import MAX_BYTES, TooLargeToShow
from training.domain.galleries import ALL, CORRECT, FALSE_ALARMS, KINDS, MISSES, PAGE, WRONG_CLASS, rows_of
from training.domain.models import require_evaluation
from training.models import Evaluation, Model

_WORST_FIRST: Final = (MISSES, FALSE_ALARMS, WRONG_CLASS, CORRECT)


@dataclass(frozen=True)
class Look:
    """One image: what it shows and what was said of it (both in words), and how sure the model was of that.

    `verdict` is one of MISSES, FALSE_ALARMS, WRONG_CLASS and CORRECT. `image` is None when it was deleted since.
    """

    id: str
    image: Image | None
    truth: str
    told: str
    score: float
    verdict: str


@dataclass(frozen=True)
class Mistakes:
    """One page of images, and how many there are of each verdict, and in all."""

    evaluation: Evaluation
    looks: list[Look]
    counts: Mapping[str, int]
    count: int
    page: int
    pages: int


def show_mistakes(*, model: Model, kind: str = ALL, page: int = 1, by: Principal) -> Mistakes:
    """The images of a verdict (`kind`, or ALL), mistakes first, and of those the surest. Opens scopes itself.

    `model` comes from `model_named`, and judges whole images. Raises NoEvaluation, TooLargeToShow or ModelDamaged.
    """
    evaluation = require_evaluation(model)
    judged = _read(model, evaluation, by=by)
    found = Counter(one.verdict for one in judged)
    wanted = sorted((one for one in judged if kind in (ALL, one.verdict)), key=_badness)
    pages = max(1, -(-len(wanted) // PAGE))
    page = min(max(page, 1), pages)
    shown = wanted[(page - 1) * PAGE : page * PAGE]
    rows = rows_of(model, [one.id for one in shown], by=by)
    return Mistakes(
        evaluation=evaluation,
        looks=[Look(one.id, rows.get(one.id), one.truth, one.told, one.score, one.verdict) for one in shown],
        counts={kind: len(judged) if kind == ALL else found[kind] for kind in KINDS},
        count=len(wanted),
        page=page,
        pages=pages,
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    id: str
    truth: str
    told: str
    score: float
    verdict: str
    # From 0 to 1, how sure the model was of what it told.
    sure: float


def _read(model: Model, evaluation: Evaluation, *, by: Principal) -> list[_Judged]:
    storage = TenantStorage(by.tenant_id)
    try:
        data = read_artifact(
            storage=storage, name=PREDICTIONS, sha256=evaluation.predictions_sha256, max_bytes=MAX_BYTES
        )
    except ObjectTooLarge as error:
        raise TooLargeToShow from error
    try:
        document = json.loads(data)
        classes: list[str] = document["classes"]
        if model.project.kind == Project.Kind.ANOMALY:
            return [_anomalous(image, classes) for image in document["images"]]
        return [_classified(image, classes, good=_good_output(model)) for image in document["images"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelDamaged(PREDICTIONS) from error


def _good_output(model: Model) -> int | None:
    """The output of good images, which are of no class; None where it learnt from none."""
    return next((place for place, label in enumerate(model.classes) if label["id"] is None), None)


def _classified(image: Mapping[str, Any], classes: Sequence[str], *, good: int | None) -> _Judged:
    probabilities: list[float] = image["probabilities"]
    truth, score = int(image["truth"]), max(probabilities)
    told = probabilities.index(score)
    if told == truth:
        verdict = CORRECT
    elif told == good:
        verdict = MISSES
    else:
        verdict = FALSE_ALARMS if truth == good else WRONG_CLASS
    return _Judged(str(uuid.UUID(image["image"])), classes[truth], classes[told], score, verdict, score)


def _anomalous(image: Mapping[str, Any], classes: Sequence[str]) -> _Judged:
    truth, score, anomalous = int(image["truth"]), float(image["score"]), bool(image["anomalous"])
    mistake = FALSE_ALARMS if anomalous else MISSES
    return _Judged(
        id=str(uuid.UUID(image["image"])),
        truth=classes[truth] if truth >= 0 else "good",
        told="anomalous" if anomalous else "good",
        score=score,
        verdict=CORRECT if anomalous == (truth >= 0) else mistake,
        sure=score if anomalous else 1 - score,
    )


def _badness(one: _Judged) -> tuple[int, float, str]:
    """Mistakes first, the surest of each kind before; of what is right what was least sure, which was nearly wrong."""
    return (_WORST_FIRST.index(one.verdict), one.sure if one.verdict == CORRECT else -one.sure, one.id)
