"""The list of projects, and one project with its label book."""

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.domain import projects, queries
from projects.models import Project
from tenants.permissions import Permission
from tenants.web.pages import TenantPage


class ProjectsPage(TenantPage):
    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.EDIT}
    template = "projects/projects.html"
    section = "projects"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        return {"projects": list(queries.projects().order_by("-id")[:100]), "kinds": Project.Kind.choices}

    def act(self, request: HttpRequest) -> HttpResponse:
        given = request.POST
        project = projects.create_project(
            name=given.get("name", ""),
            kind=given.get("kind", ""),
            description=given.get("description", ""),
            by=self.seat.principal,
        )
        messages.success(request, f"Project {project.name} is made. Upload some photographs next.")
        return redirect(self.address("project", project.id))


class ProjectPage(TenantPage):
    needs: ClassVar = {"GET": Permission.READ}
    template = "projects/project.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = queries.project_named(project_id)
        return {"project": project, "part": "overview", "classes": list(queries.classes(project_id).order_by("id"))}
