"""Every address of the service."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from config import health

api_v1: list[URLPattern | URLResolver] = [
    path("", include("tenants.api.urls")),
    path("", include("projects.api.urls")),
    path("", include("workers.api.urls")),
    # Public on purpose: the schema is in the repository as well.
    path("schema", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[])),
]
urlpatterns = [
    path("healthz", health.live),
    path("readyz", health.ready),
    path("api/v1/", include(api_v1)),
]
handler400 = "tenants.api.problems.bad_request"
handler404 = "tenants.api.problems.page_not_found"
handler500 = "tenants.api.problems.server_error"
