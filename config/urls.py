"""Every address of the service."""

from django.urls import URLPattern, URLResolver, include, path

from config import health, schema
from tenants.web.urls import plain

api_v1: list[URLPattern | URLResolver] = [
    path("", include("tenants.api.urls")),
    path("", include("projects.api.urls")),
    path("", include("training.api.urls")),
    path("", include("fleet.api.urls")),
    path("", include("workers.api.urls")),
    path("schema", schema.schema),
    path("docs", schema.docs, name="api-docs"),
]
# What a tenant's people see, at its address. Below api/ stand the views of the API that the pages' scripts ask.
pages: list[URLPattern | URLResolver] = [
    path("", include("tenants.web.urls")),
    path("", include("projects.web.urls")),
    path("", include("training.web.urls")),
    path("", include("fleet.web.urls")),
]
urlpatterns = [
    *plain,
    path("t/<slug:tenant>/", include(pages)),
    path("healthz", health.live),
    path("readyz", health.ready),
    path("api/v1/", include(api_v1)),
]
handler400 = "tenants.web.problems.bad_request"
handler404 = "tenants.web.problems.page_not_found"
handler500 = "tenants.web.problems.server_error"
