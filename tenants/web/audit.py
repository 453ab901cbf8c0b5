"""The audit log, as a person reads it."""

from typing import Any, ClassVar

from django.http import HttpRequest

from tenants.domain import queries
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.web.pages import TenantPage

A_PAGE = 50


class AuditPage(TenantPage):
    """Lines newest first, with the names of who acted; narrowed by the noun an action begins with."""

    needs: ClassVar = {"GET": Permission.ADMIN}
    template = "tenants/audit.html"
    section = "audit"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        about = request.GET.get("about", "")
        rows = queries.audit_events(about=about)
        page = page_of_rows(rows, cursor=request.GET.get("cursor"), limit=A_PAGE)
        names = queries.actors(page.rows)
        lines = [(event, names.get(event.actor_id)) for event in page.rows]
        return {"lines": lines, "page": page, "about": about, "nouns": queries.AUDITED}
