"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from tenants.web.door import door
from training.api import models as models_api
from training.web import models, predictions, runs

urlpatterns = [
    path("projects/<uuid:project_id>/runs", runs.RunsPage.as_view(), name="runs"),
    path("projects/<uuid:project_id>/models", models.ModelsPage.as_view(), name="models"),
    path("models/<uuid:model_id>/predictions", predictions.PredictionsPage.as_view(), name="model-predictions"),
    path("api/models/<uuid:model_id>/images/<uuid:image_id>", door(predictions.ImagePredictionsView)),
    path("api/projects/<uuid:project_id>/models", door(models_api.ModelsView)),
]
