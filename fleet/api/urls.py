"""Addresses below /api/v1/ of this app."""

from django.urls import path

from fleet.api import predictions, promotions

urlpatterns = [
    path("models/<uuid:model_id>/promote", promotions.PromoteView.as_view()),
    path("models/<uuid:model_id>/predict", predictions.ModelPredictView.as_view()),
    path("projects/<uuid:project_id>/promotions", promotions.PromotionsView.as_view()),
    path("projects/<uuid:project_id>/predict", predictions.ProjectPredictView.as_view()),
]
