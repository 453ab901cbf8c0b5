"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from fleet.api import predictions as predictions_api
from fleet.api import promotions as promotions_api
from fleet.web import promotions
from tenants.web.door import door

urlpatterns = [
    path("models/<uuid:model_id>/promote", promotions.PromotePage.as_view(), name="promote"),
    # The gateway hands it to the process that serves predictions, as it does with the API's own (config.gateway).
    path("api/models/<uuid:model_id>/predict", door(predictions_api.ModelPredictView)),
    path("api/projects/<uuid:project_id>/promotions", door(promotions_api.PromotionsView)),
]
