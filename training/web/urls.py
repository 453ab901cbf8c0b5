"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from training.web import models, runs

urlpatterns = [
    path("projects/<uuid:project_id>/runs", runs.RunsPage.as_view(), name="runs"),
    path("projects/<uuid:project_id>/models", models.ModelsPage.as_view(), name="models"),
]
