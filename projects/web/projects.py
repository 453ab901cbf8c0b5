"""The list of projects, and one project with its label book."""

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.api.serializers import ProjectChange, ProjectInput, ProjectSerializer
from projects.domain import projects, queries
from projects.models import Project
from projects.web.overview import overview, sign_examples
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.refusals import Invalid
from tenants.web.forms import as_seen, form_values
from tenants.web.pages import TenantPage

A_PAGE = 48  # full rows of two, three and four cards


class ProjectsPage(TenantPage):
    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.EDIT}
    template = "projects/projects.html"
    section = "projects"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        page = page_of_rows(queries.projects(), cursor=request.GET.get("cursor"), limit=A_PAGE)
        return {"page": page, "kinds": Project.Kind.choices}

    def act(self, request: HttpRequest) -> HttpResponse:
        """Makes a project."""
        project = projects.create_project(**form_values(ProjectInput, request.POST), by=self.seat.principal)
        messages.success(request, f"Project {project.name} is made. Upload some photographs next.")
        return redirect(self.address("project", project.id))


class ProjectPage(TenantPage):
    """Where a project stands, and its label book. `do` says what a form asks for: change, or delete."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.EDIT}
    template = "projects/project.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        return overview(project_id)

    def sign(self, context: dict[str, Any]) -> None:
        sign_examples(context, by=self.seat.principal)

    def act(self, request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
        if request.POST.get("do") == "delete":
            return self._delete(request, project_id)
        changes = form_values(ProjectChange, request.POST)
        expect = as_seen(request, ProjectSerializer)
        projects.update_project(project_id=project_id, by=self.seat.principal, expect=expect, **changes)
        messages.success(request, "The project is changed.")
        return redirect(self.address("project", project_id))

    def _delete(self, request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
        typed = " ".join(request.POST.get("confirm", "").split())

        def expect_named(project: Project) -> None:
            if typed != " ".join(project.name.split()):
                raise Invalid("confirm", "That is not its name; nothing was deleted.", hint="Type the name as it is.")

        projects.delete_project(project_id=project_id, by=self.seat.principal, expect=expect_named)
        messages.success(request, f"The project {typed} is deleted.")
        return redirect(self.address("projects"))
