"""Every address of the service."""

from django.urls import URLPattern, URLResolver, include, path

from config import health, schema

api_v1: list[URLPattern | URLResolver] = [
    path("", include("tenants.api.urls")),
    path("", include("projects.api.urls")),
    path("", include("training.api.urls")),
    path("", include("fleet.api.urls")),
    path("", include("workers.api.urls")),
    path("schema", schema.schema),
]
urlpatterns = [
    path("healthz", health.live),
    path("readyz", health.ready),
    path("api/v1/", include(api_v1)),
]
handler400 = "tenants.api.problems.bad_request"
handler404 = "tenants.api.problems.page_not_found"
handler500 = "tenants.api.problems.server_error"
