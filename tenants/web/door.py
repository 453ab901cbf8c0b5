"""The API's views for the scripts of our own pages: the same views, asked by a session instead of a key.

They stand below /t/<slug>/api/. A key opens nothing there, and a session nothing at /api/v1/.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tenants.api.views import TenantView


def door(view: type[TenantView]) -> Callable[..., HttpResponseBase]:
    """The view, for sessions, at an address that names the tenant. `seat_slug` is what `TenantView` tells it by."""
    answer = view.as_view()

    def seated(request: HttpRequest, *, tenant: str, **named: Any) -> HttpResponseBase:
        request.seat_slug = tenant  # type: ignore[attr-defined]  # an attribute of ours on Django's request
        return answer(request, **named)

    seated.cls = view  # type: ignore[attr-defined]  # where the route test looks
    seated.initkwargs = {}  # type: ignore[attr-defined]  # where the schema's generator looks
    seated.csrf_exempt = True  # type: ignore[attr-defined]  # the authentication checks
    return seated
