"""Addresses below /api/v1/ of this app."""

from django.urls import path

from training.api import models, runs

urlpatterns = [
    path("projects/<uuid:project_id>/runs", runs.RunsView.as_view()),
    path("runs/<uuid:run_id>", runs.RunView.as_view()),
    path("runs/<uuid:run_id>/cancel", runs.CancelRunView.as_view()),
    path("projects/<uuid:project_id>/models", models.ModelsView.as_view()),
    path("models/<uuid:model_id>", models.ModelView.as_view()),
    path("models/<uuid:model_id>/compare", models.CompareView.as_view()),
    path("models/<uuid:model_id>/operating", models.OperatingView.as_view()),
    path("models/<uuid:model_id>/export", models.ExportView.as_view()),
    path("models/<uuid:model_id>/predictions", models.PredictionsView.as_view()),
    path("models/<uuid:model_id>/export/onnx", models.OnnxView.as_view()),
    path("models/<uuid:model_id>/export/manifest", models.ExportManifestView.as_view()),
]
