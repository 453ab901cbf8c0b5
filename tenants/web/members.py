"""Members and invitations."""

from typing import Any, ClassVar

from django.http import HttpRequest

from tenants.permissions import Permission
from tenants.web.pages import TenantPage


class MembersPage(TenantPage):
    needs: ClassVar = {"GET": Permission.READ}
    template = "page.html"
    section = "members"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        return {}
