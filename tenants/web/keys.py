"""API keys."""

from typing import Any, ClassVar

from django.http import HttpRequest

from tenants.permissions import Permission
from tenants.web.pages import TenantPage


class KeysPage(TenantPage):
    needs: ClassVar = {"GET": Permission.ADMIN}
    template = "page.html"
    section = "keys"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        return {}
