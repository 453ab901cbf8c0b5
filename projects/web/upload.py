"""Sending photographs."""

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest

from projects.domain import queries
from tenants.permissions import Permission
from tenants.web.pages import TenantPage


class UploadPage(TenantPage):
    needs: ClassVar = {"GET": Permission.UPLOAD}
    template = "page.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        return {"project": queries.project_named(project_id), "part": "upload"}
