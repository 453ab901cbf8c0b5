"""An evaluation's images with their predictions, read from S3 and judged, and kept for the next page of them.

What is kept lies under its tenant and its hash, which is checked at the reading; it is never older than its row.
"""

import json
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.scope import refuse_open_transaction
from tenants.storage import ObjectTooLarge, TenantStorage
from training.domain.artifacts import PREDICTIONS, ModelDamaged, read_artifact
from training.models import Evaluation

if TYPE_CHECKING:
    from training.domain.judging import Judged

# The predictions of some ten thousand images; parsed they take ten times as much for a second.
MAX_BYTES = 64 * 1024 * 1024
# Images kept in a process, of all evaluations together: some 50 MB. One evaluation alone may have more.
MAX_KEPT = 20_000


class TooLargeToShow(Refusal):
    code = "evaluation_too_large"
    title = "Too large to show"

    def __init__(self) -> None:
        super().__init__(
            f"The predictions of this evaluation take more than {MAX_BYTES // 1024**2} MB.",
            hint="Fetch them (GET /api/v1/models/{id}/predictions) and look at them on your side.",
        )


@dataclass(frozen=True)
class Evaluated:
    """The images by id, in the order of the evaluation, and the score at which the model errs least on them."""

    images: "dict[str, Judged]"
    score: float


_kept: OrderedDict[tuple[uuid.UUID, str], Evaluated] = OrderedDict()
_lock = threading.Lock()
# One evaluation is parsed at a time, so that a process needs the memory for one.
_reading = threading.Lock()


def read_evaluated(evaluation: Evaluation, *, by: Principal) -> Evaluated:
    """What the evaluation says of each of its images; no scope is open. Raises TooLargeToShow or ModelDamaged."""
    refuse_open_transaction("reading predictions")
    key = (by.tenant_id, evaluation.predictions_sha256)
    known = _known(key)
    if known is not None:
        return known
    with _reading:
        known = _known(key)  # somebody else's turn may have read it
        if known is None:
            known = _read(evaluation, by=by)
            _keep(key, known)
    return known


def _known(key: tuple[uuid.UUID, str]) -> Evaluated | None:
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def _read(evaluation: Evaluation, *, by: Principal) -> Evaluated:
    from training.domain import judging  # noqa: PLC0415 - numpy, which nothing else here needs

    storage = TenantStorage(by.tenant_id)
    try:
        data = read_artifact(
            storage=storage, name=PREDICTIONS, sha256=evaluation.predictions_sha256, max_bytes=MAX_BYTES
        )
    except ObjectTooLarge as error:
        raise TooLargeToShow from error
    try:
        judged = judging.judge(json.loads(data)["images"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(PREDICTIONS) from error
    return Evaluated({image.image: image for image in judged}, judging.best_score(judged))


def _keep(key: tuple[uuid.UUID, str], fresh: Evaluated) -> None:
    with _lock:
        _kept[key] = fresh
        # The newest stays, however large: who looks at one looks at several of its pages.
        while len(_kept) > 1 and sum(len(one.images) for one in _kept.values()) > MAX_KEPT:
            _kept.popitem(last=False)
