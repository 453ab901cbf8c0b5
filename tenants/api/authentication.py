"""Who asks: an API key in the Authorization header; below /t/, for the scripts of our pages, a session."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.domain.keys import authenticate
from tenants.domain.seats import seat_of
from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.tracing import acting_for


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer myr_…`. The tenant of the request is the key's."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if not text:
            return None
        principal = authenticate(text=text.strip()) if scheme.lower() == "bearer" else None
        if principal is None:
            raise AuthenticationFailed("The API key is malformed, unknown, expired or revoked.")
        acting_for.set(principal.tenant_id)
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="myriad"'


class PageTooOld(Refusal):
    """The token of the page is none of this session's: somebody signed in anew since it was loaded.

    By the code the page's scripts know that a fresh token helps.
    """

    status = 403
    code = "page_too_old"
    title = "This page is too old"

    def __init__(self) -> None:
        super().__init__("The page was loaded before you signed in.", hint="Try again, or reload the page.")


class _Check(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


class SeatAuthentication(BaseAuthentication):
    """A signed-in person's seat in the tenant of the address; unsafe methods need the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        asked = request._request
        user = asked.user
        if not user.is_authenticated:
            return None
        # The check looks for its token in a form, and what it has read of a stream nobody can read again.
        _ = asked.body
        check = _Check(lambda _request: HttpResponseBase())
        check.process_request(asked)
        reason = check.process_view(asked, HttpResponseBase, (), {})
        if reason:
            raise PageTooOld
        principal = seat_of(user_id=user.pk, slug=asked.seat_slug).principal  # type: ignore[attr-defined]  # see `door`
        acting_for.set(principal.tenant_id)
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's metaclass hook
    """How the OpenAPI schema names it."""

    target_class = "tenants.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "myr_…"}
