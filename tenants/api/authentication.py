"""Who asks: an API key in the Authorization header, and nowhere else."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.domain.keys import authenticate
from tenants.permissions import Principal
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


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's metaclass hook
    """How the OpenAPI schema names it."""

    target_class = "tenants.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "myr_…"}
