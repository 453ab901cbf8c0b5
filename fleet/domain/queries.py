"""Reads of the current tenant's promotions."""

import uuid

from django.db.models import QuerySet

from fleet.models import Promotion
from projects.domain.queries import project_named


def promotions(project_id: uuid.UUID) -> QuerySet[Promotion]:
    """What was promoted in the project; the newest counts. Raises NotFound."""
    return Promotion.objects.filter(project=project_named(project_id))


def current_promotion(project_id: uuid.UUID) -> Promotion | None:
    """The newest promotion of the project, with its model; None before the first. Raises NotFound."""
    return promotions(project_id).select_related("model").order_by("-number").first()
