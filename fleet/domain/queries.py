"""Reads of the current tenant's promotions."""

import uuid

from django.db.models import OuterRef, QuerySet, Subquery

from fleet.models import Promotion
from projects.domain.queries import project_named
from training.domain.answering import Answering


def promotions(project_id: uuid.UUID) -> QuerySet[Promotion]:
    """What was promoted in the project; the newest counts. Raises NotFound."""
    return Promotion.objects.filter(project=project_named(project_id))


def current_promotion(project_id: uuid.UUID) -> Promotion | None:
    """The newest promotion of the project, with its model; None before the first. Raises NotFound."""
    return promotions(project_id).select_related("model").order_by("-number").first()


def newest_promoted_model() -> Subquery:
    """The id of the model that answers for a project, as an expression over the project's row."""
    told = Promotion.objects.filter(project_id=OuterRef("id"))
    return Subquery(told.order_by("-number").values("model_id")[:1])


def answered(project_id: uuid.UUID, most: int) -> list[Answering]:
    """The project's newest promotions, as the pages of models show them. One query."""
    rows = Promotion.objects.filter(project_id=project_id)
    columns = ("number", "model_id", "model__number", "created_at", "promoted_by__user__name")
    return [Answering(*row) for row in rows.order_by("-number").values_list(*columns)[:most]]
