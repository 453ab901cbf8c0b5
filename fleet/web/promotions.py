"""Deciding which model answers for a project."""

import uuid
from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from fleet.domain import promotions
from tenants.permissions import Permission
from tenants.web.pages import TenantPage


class PromotePage(TenantPage):
    """A form's button on the page of a model, and in the list of models."""

    needs: ClassVar = {"POST": Permission.DEPLOY}

    def act(self, request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
        promotion, new = promotions.promote_model(model_id=model_id, by=self.seat.principal)
        number = promotion.model.number
        said = f"Model {number} answers for this project from now on." if new else f"Model {number} answers already."
        messages.success(request, said)
        return redirect(self.address("model", model_id))
