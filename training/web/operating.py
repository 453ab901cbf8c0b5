"""What a model would do on the line: which parts pass, which are rejected, and at which score that costs least."""

import uuid
from itertools import cycle
from typing import Any, ClassVar

from django.http import HttpRequest

from projects.domain.classes import COLORS
from tenants.permissions import Permission
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage
from training.api.serializers import PricesInput
from training.domain import operating
from training.domain.operating import Prices
from training.web.intervals import percent


class ModelOperatingPage(TenantPage):
    """The part of a model's page that asks for it when it is shown, and again when other prices are given."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "training/model_operating.html"

    def read(self, request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
        # The model is looked up where its points are counted; a price that is none is told beside the usual ones.
        context: dict[str, Any] = {"model_id": model_id, "prices": Prices(**form_values(PricesInput, {}))}
        with self.telling(context, "fault"):
            context["prices"] = Prices(**form_values(PricesInput, request.GET))
        return context

    def sign(self, context: dict[str, Any]) -> None:
        prices = context["prices"]
        with self.telling(context, "not_shown"):
            found = operating.operating_points(model_id=context["model_id"], prices=prices, by=self.seat.principal)
            best = found.cheapest
            context |= {
                "best": best,
                "cost": best.cost(prices),
                "escape_bound": percent(best.escape_bound),
                "reject_bound": percent(best.reject_bound),
                "confusion": _confusion(found),
                "curves": _curves(found),
                "lines": [(point, point.cost(prices), point is best) for point in found.points],
            }


def _confusion(found: operating.Operating) -> dict[str, Any]:
    """Names over the columns, and each row's name with its cells: (count, whether it is as it should be)."""
    names = [label["name"] for label in found.model.classes]
    rows = [
        (name, [(count, row == column) for column, count in enumerate(counts)])
        for row, (name, counts) in enumerate(zip([*names, None], found.confusion, strict=True))
    ]
    return {"names": names, "rows": rows}


def _curves(found: operating.Operating) -> list[dict[str, Any]]:
    """Each class's name and colour, its line in a square of 100 (recall to the right, precision up), and its rows."""
    curves = []
    for label, color, measured in zip(found.model.classes, cycle(COLORS), found.curves, strict=False):
        rows = [
            (point.score, one.recall, one.precision)
            for point, one in zip(found.points, measured, strict=True)
            if one.recall is not None and one.precision is not None
        ]
        line = " ".join(f"{100 * recall:.1f},{100 - 100 * precision:.1f}" for _, recall, precision in rows)
        curves.append({"name": label["name"], "color": color, "line": line, "rows": rows})
    return curves
