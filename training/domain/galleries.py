"""Predictions against truth: the images of a model's evaluation, filtered and sorted, the worst first."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from projects.domain.queries import image_named, ready_images
from projects.models import Image
from tenants.permissions import Principal
from tenants.refusals import NotFound
from tenants.scope import tenant_scope
from training.domain.evaluated import Evaluated, read_evaluated
from training.domain.models import require_boxes, require_evaluation
from training.domain.queries import model_named
from training.models import Evaluation, Model

if TYPE_CHECKING:
    from training.domain.judging import Judged, Verdicts

# What a gallery can be limited to.
ALL, MISSES, FALSE_ALARMS, WRONG_CLASS, CORRECT = "all", "misses", "false-alarms", "wrong-class", "correct"
KINDS: Final = (ALL, MISSES, FALSE_ALARMS, WRONG_CLASS, CORRECT)
# Images a page.
PAGE = 24


@dataclass(frozen=True)
class Asked:
    """Which images are wanted. `label` is the number of one of the model's classes; `score` None: the model's best."""

    kind: str = ALL
    label: int | None = None
    score: float | None = None
    page: int = 1


@dataclass(frozen=True)
class Tally:
    """Over all images of the evaluation: boxes that labelers drew, and what became of them."""

    defects: int = 0
    found: int = 0
    wrong: int = 0
    missed: int = 0
    false_alarms: int = 0
    # Images of each kind, whichever is shown.
    images: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Sight:
    """One image and what the model made of it. `image` is None when it was deleted since."""

    id: str
    image: Image | None
    verdicts: "Verdicts"


@dataclass(frozen=True)
class Gallery:
    """One page. `score` is the least that counts, `best` the one at which the model errs least; `count` of images."""

    evaluation: Evaluation
    score: float
    best: float
    tally: Tally
    sights: list[Sight]
    count: int
    page: int
    pages: int


@dataclass(frozen=True)
class ImagePredictions:
    """What a model predicted of one image; `judged` is None where it was not evaluated on it."""

    model: Model
    evaluation: Evaluation
    best: float
    judged: "Judged | None"


def show_gallery(*, model: Model, asked: Asked, by: Principal) -> Gallery:
    """The images that are asked for, most errors first, then by the surest false alarm. Opens scopes itself.

    `model` comes from `model_named`. Raises NotForKind, NoEvaluation, TooLargeToShow or ModelDamaged.
    """
    require_boxes(model)
    evaluation = require_evaluation(model)
    evaluated = read_evaluated(evaluation, by=by)
    score = _least(asked.score, evaluated)
    judged = _verdicts(evaluated, score)
    about = {image: verdicts.of(asked.label) for image, verdicts in judged.items()}
    wanted = sorted(
        (image for image, verdicts in about.items() if _is(asked.kind, verdicts) and _concerns(asked, verdicts)),
        key=lambda image: _badness(about[image], image),
    )
    pages = max(1, -(-len(wanted) // PAGE))
    page = min(max(asked.page, 1), pages)
    shown = wanted[(page - 1) * PAGE : page * PAGE]
    rows = rows_of(model, shown, by=by)
    return Gallery(
        evaluation=evaluation,
        score=score,
        best=evaluated.score,
        tally=_tally(about, asked),
        sights=[Sight(image, rows.get(image), judged[image]) for image in shown],
        count=len(wanted),
        page=page,
        pages=pages,
    )


def predictions_of(*, model_id: uuid.UUID, image_id: uuid.UUID, by: Principal) -> ImagePredictions:
    """What a model predicted of an image of its project when it was evaluated. Opens the scope itself.

    Raises NotFound (also for an image of another project), NotForKind, NoEvaluation, TooLargeToShow or ModelDamaged.
    """
    with tenant_scope(by.tenant_id):
        model = model_named(model_id)
        image = image_named(image_id)
        if image.project_id != model.project_id:
            raise NotFound
        require_boxes(model)
        evaluation = require_evaluation(model)
    evaluated = read_evaluated(evaluation, by=by)
    return ImagePredictions(model, evaluation, evaluated.score, evaluated.images.get(str(image.id)))


def _least(asked: float | None, evaluated: Evaluated) -> float:
    from training.domain.judging import LEAST_SCORE  # noqa: PLC0415 - numpy

    return evaluated.score if asked is None else min(max(asked, LEAST_SCORE), 1.0)


def _verdicts(evaluated: Evaluated, score: float) -> "dict[str, Verdicts]":
    from training.domain.judging import verdicts  # noqa: PLC0415 - numpy

    return {image: verdicts(judged, score=score) for image, judged in evaluated.images.items()}


def _is(kind: str, verdicts: "Verdicts") -> bool:
    return {
        ALL: True,
        MISSES: bool(verdicts.missed),
        FALSE_ALARMS: bool(verdicts.false_alarms),
        WRONG_CLASS: bool(verdicts.wrong),
        CORRECT: verdicts.errors == 0,
    }[kind]


def _concerns(asked: Asked, verdicts: "Verdicts") -> bool:
    """Whether the image has anything to do with the class that is asked for."""
    return asked.label is None or not verdicts.is_empty


def _badness(verdicts: "Verdicts", image: str) -> tuple[float, float, str]:
    return (-verdicts.errors, -max((found.score for found in verdicts.false_alarms), default=0.0), image)


def _tally(about: "Mapping[str, Verdicts]", asked: Asked) -> Tally:
    found = sum(len(verdicts.found) for verdicts in about.values())
    missed = sum(len(verdicts.missed) for verdicts in about.values())
    wrong = sum(len(verdicts.wrong) for verdicts in about.values())
    mistaken = sum(asked.label in (None, box.label) for verdicts in about.values() for _, box in verdicts.wrong)
    concerned = [verdicts for verdicts in about.values() if _concerns(asked, verdicts)]
    return Tally(
        defects=found + missed + mistaken,
        found=found,
        wrong=wrong,
        missed=missed,
        false_alarms=sum(len(verdicts.false_alarms) for verdicts in about.values()),
        images={kind: sum(_is(kind, verdicts) for verdicts in concerned) for kind in KINDS},
    )


def rows_of(model: Model, shown: Sequence[str], *, by: Principal) -> dict[str, Image]:
    """The images of these ids that are still there, READY, and of the model's project. Opens the scope itself."""
    try:
        ids = [uuid.UUID(image) for image in shown]
    except ValueError:  # a file that is sound, and names no images of ours
        return {}
    with tenant_scope(by.tenant_id):
        return {str(image.id): image for image in ready_images(model.project_id, ids)}
