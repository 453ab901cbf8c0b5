"""What a model would do on the line: which parts pass, which are rejected, and at which score that costs least."""

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest

from tenants.permissions import Permission
from tenants.refusals import NotFound, Refusal
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage
from training.api.serializers import PricesInput
from training.domain import operating, queries
from training.domain.operating import Prices


class ModelOperatingPage(TenantPage):
    """The part of a model's page that asks for it when it is shown, and again when other prices are given."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "training/model_operating.html"

    def read(self, request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
        context: dict[str, Any] = {"model": queries.model_named(model_id), "fault": None, "sent": request.GET}
        try:
            given = form_values(PricesInput, request.GET)
        except Refusal as refusal:
            context["fault"], given = refusal, form_values(PricesInput, {})
        return context | {"prices": Prices(**{name: float(price) for name, price in given.items()})}

    def sign(self, context: dict[str, Any]) -> None:
        try:
            found = operating.operating_points(
                model_id=context["model"].id, prices=context["prices"], by=self.seat.principal
            )
        except NotFound:
            raise
        except Refusal as refusal:
            context["not_shown"] = refusal
            return
        best, prices = found.cheapest, found.prices
        context |= {
            "best": best,
            "cost": best.cost(prices),
            "escape_bound": _percent(best.escape_bound),
            "reject_bound": _percent(best.reject_bound),
            "lines": [(point, point.cost(prices), point is best) for point in found.points],
        }


def _percent(share: float) -> str:
    """With one digit behind the point where that says something."""
    return f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}"
