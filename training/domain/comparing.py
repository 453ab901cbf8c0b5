"""Comparing two models: on the same images, with the interval of their difference."""

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from training.domain.artifacts import PREDICTIONS, ModelDamaged, read_artifact
from training.domain.models import require_boxes, require_evaluation
from training.domain.queries import model_named
from training.models import Evaluation, Model

if TYPE_CHECKING:
    from training.domain.paired import Difference

# It is computed while its asker waits: a tenth of a second for a hundred images, a few seconds of a core at the most.
MAX_IMAGES = 2000
MAX_DETECTIONS = 100_000  # of both
MAX_CLASSES = 100
Verdict = Literal["A_BETTER", "B_BETTER", "CANNOT_TELL"]


class DifferentSnapshots(Refusal):
    code = "different_snapshots"
    title = "The models were judged on different images"

    def __init__(self, a: Model, b: Model) -> None:
        super().__init__(
            f"Model {a.number} was evaluated on snapshot {a.snapshot.number}, model {b.number} on snapshot"
            f" {b.snapshot.number}; figures of different images say nothing of which is better.",
            hint="Evaluate on one snapshot: start a run of the other's recipe on the newer snapshot.",
        )


class DifferentImages(Refusal):
    code = "different_images"
    title = "The models were judged on different images"

    def __init__(self) -> None:
        super().__init__(
            "The two models were judged on no image in common.",
            hint="Start runs of both recipes on one snapshot, so that both are judged alike.",
        )


class TooLargeToCompare(Refusal):
    code = "evaluation_too_large"
    title = "Too large to compare"

    def __init__(self) -> None:
        super().__init__(
            f"The models were judged on more than {MAX_IMAGES} images, or have more than {MAX_DETECTIONS} detections or"
            f" {MAX_CLASSES} classes.",
            hint="Fetch both models' predictions (GET /api/v1/models/{id}/predictions) and compare them on your side.",
        )


@dataclass(frozen=True)
class ClassComparison:
    id: str
    name: str
    ap50: "Difference"


@dataclass(frozen=True)
class Comparison:
    """`ap50` is how much more b scores than a, with its 95 % interval, over `images` that both were judged on."""

    a: Model
    b: Model
    images: int
    ap50: "Difference"
    classes: list[ClassComparison]
    verdict: Verdict


def compare_models(*, model_id: uuid.UUID, with_id: uuid.UUID, by: Principal) -> Comparison:
    """How much better the second is than the first, on the images of their one snapshot. Opens the scope itself.

    Raises NotFound, NotForKind, NoEvaluation, DifferentSnapshots, DifferentImages, TooLargeToCompare or ModelDamaged.
    """
    from training.domain import paired  # noqa: PLC0415 - numpy, which nothing else here needs

    with tenant_scope(by.tenant_id):
        models = [model_named(found) for found in (model_id, with_id)]
        for model in models:
            require_boxes(model)
        a, b = map(require_evaluation, models)
        if a.model.snapshot.manifest_sha256 != b.model.snapshot.manifest_sha256:
            raise DifferentSnapshots(a.model, b.model)
    if max(a.image_count, b.image_count) > MAX_IMAGES or len(a.model.classes) > MAX_CLASSES:
        raise TooLargeToCompare
    storage = TenantStorage(by.tenant_id)
    judged = [_predictions(storage, evaluation) for evaluation in (a, b)]
    common = sorted(judged[0].keys() & judged[1].keys())
    if not common:
        raise DifferentImages
    if sum(len(side[image]["predictions"]) for side in judged for image in common) > MAX_DETECTIONS:
        raise TooLargeToCompare
    overall, *by_class = paired.compare(
        *([side[image] for image in common] for side in judged), classes=len(a.model.classes)
    )
    classes = [
        ClassComparison(label["id"], label["name"], found)
        for label, found in zip(a.model.classes, by_class, strict=True)
    ]
    return Comparison(a.model, b.model, len(common), overall, classes, _verdict(overall))


def _predictions(storage: TenantStorage, evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Image → truth and predictions."""
    data = read_artifact(storage=storage, name=PREDICTIONS, sha256=evaluation.predictions_sha256)
    try:
        return {image["image"]: image for image in json.loads(data)["images"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(PREDICTIONS) from error


def _verdict(overall: "Difference") -> Verdict:
    if overall.low is not None and overall.low > 0:
        return "B_BETTER"
    if overall.high is not None and overall.high < 0:
        return "A_BETTER"
    return "CANNOT_TELL"
