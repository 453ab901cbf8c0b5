"""The audit log."""

from typing import Any, ClassVar

from django.http import HttpRequest

from tenants.permissions import Permission
from tenants.web.pages import TenantPage


class AuditPage(TenantPage):
    needs: ClassVar = {"GET": Permission.ADMIN}
    template = "page.html"
    section = "audit"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        return {}
