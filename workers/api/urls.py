"""Addresses below /api/v1/ of this app."""

from django.urls import path

from workers.api import jobs

urlpatterns = [
    path("jobs", jobs.JobsView.as_view()),
    path("jobs/<uuid:job_id>", jobs.JobView.as_view()),
    path("jobs/<uuid:job_id>/cancel", jobs.CancelView.as_view()),
]
