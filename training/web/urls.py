"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from tenants.web.door import door
from training.api import models as models_api
from training.web import models, operating, predictions, runs

urlpatterns = [
    path("projects/<uuid:project_id>/runs", runs.RunsPage.as_view(), name="runs"),
    path("runs/<uuid:run_id>", runs.RunPage.as_view(), name="run"),
    path("runs/<uuid:run_id>/state", runs.RunStatePage.as_view(), name="run-state"),
    path("projects/<uuid:project_id>/models", models.ModelsPage.as_view(), name="models"),
    path("models/<uuid:model_id>", models.ModelPage.as_view(), name="model"),
    path("models/<uuid:model_id>/examples", models.ModelExamplesPage.as_view(), name="model-examples"),
    path("models/<uuid:model_id>/operating", operating.ModelOperatingPage.as_view(), name="model-operating"),
    path("models/<uuid:model_id>/export", models.ModelExportPage.as_view(), name="model-export"),
    path("models/<uuid:model_id>/predictions", predictions.PredictionsPage.as_view(), name="model-predictions"),
    path("api/models/<uuid:model_id>/images/<uuid:image_id>", door(predictions.ImagePredictionsView)),
    path("api/models/<uuid:model_id>/export/onnx", door(models_api.OnnxView), name="model-onnx"),
    path("api/models/<uuid:model_id>/export/manifest", door(models_api.ExportManifestView), name="model-manifest"),
    path("api/projects/<uuid:project_id>/models", door(models_api.ModelsView)),
]
