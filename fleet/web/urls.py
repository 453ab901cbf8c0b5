"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from fleet.api import promotions as promotions_api
from tenants.web.door import door

urlpatterns = [
    path("api/projects/<uuid:project_id>/promotions", door(promotions_api.PromotionsView)),
]
