"""Reads of the current tenant's promotions."""

import uuid

from django.db.models import OuterRef, QuerySet, Subquery

from fleet.models import Promotion
from projects.domain.queries import project_named


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
