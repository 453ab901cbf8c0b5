"""Promoting: which model answers at a project's stable address."""

import uuid

from fleet.domain.queries import current_promotion
from fleet.models import Promotion
from projects.domain.queries import project_named
from tenants import audit
from tenants.ids import uuid7
from tenants.permissions import Principal
from tenants.refusals import Refusal
from training.domain.queries import model_named
from training.models import Model


class NothingPromoted(Refusal):
    code = "nothing_promoted"
    title = "No model answers for this project yet"

    def __init__(self) -> None:
        super().__init__(
            "No model of this project has been promoted.",
            hint="Promote one (POST /api/v1/models/{id}/promote), or ask a model at its own address.",
        )


def promote_model(*, model_id: uuid.UUID, by: Principal) -> tuple[Promotion, bool]:
    """From now on the model answers for its project. Raises NotFound.

    Returns the promotion and whether it is new; of the model that answers already it is the one there is.
    """
    model = model_named(model_id)
    project_named(model.project_id, lock=True)  # numbers are given in turn
    current = current_promotion(model.project_id)
    if current is not None and current.model_id == model.id:
        return current, False
    promotion = Promotion.objects.create(
        id=_later_id(current),
        project_id=model.project_id,
        number=current.number + 1 if current else 1,
        model=model,
        promoted_by_id=by.member_id,
    )
    audit.record("model.promoted", by=by, target=model.id, project=str(model.project_id), number=model.number)
    return promotion, True


def _later_id(last: Promotion | None) -> uuid.UUID:
    """An id that lists, which go by it, put after the last one's, though another process's clock gave that."""
    fresh = uuid7()
    return fresh if last is None or fresh > last.id else uuid.UUID(int=last.id.int + 1)


def current_model(project_id: uuid.UUID) -> Model:
    """The model that answers for the project. Raises NotFound or NothingPromoted."""
    current = current_promotion(project_id)
    if current is None:
        raise NothingPromoted
    model: Model = current.model
    return model
