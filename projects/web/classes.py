"""The label book's forms. They stand on the project's page."""

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.api.serializers import ClassChange, ClassInput, ClassSerializer
from projects.domain import classes, queries
from projects.web.overview import overview, sign_examples
from tenants.permissions import Permission
from tenants.web.forms import as_seen, form_values
from tenants.web.pages import TenantPage


class _LabelBookPage(TenantPage):
    """The project's page with one of the label book's forms open."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.EDIT}
    template = "projects/project.html"
    section = "projects"

    def sign(self, context: dict[str, Any]) -> None:
        sign_examples(context, by=self.seat.principal)

    def shown_after(self, project_id: uuid.UUID) -> HttpResponse:
        """Leads back to the label book."""
        return redirect(self.address("project", project_id) + "#label-book")


class ClassesPage(_LabelBookPage):
    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        return overview(project_id) | {"open": "new"}

    def act(self, request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
        """Adds a class."""
        made = classes.create_class(
            project_id=project_id, by=self.seat.principal, **form_values(ClassInput, request.POST)
        )
        messages.success(request, f"“{made.name}” stands in the label book.")
        return self.shown_after(project_id)


class ClassPage(_LabelBookPage):
    def read(self, request: HttpRequest, class_id: uuid.UUID) -> dict[str, Any]:
        return overview(queries.class_named(class_id).project_id) | {"open": class_id}

    def act(self, request: HttpRequest, class_id: uuid.UUID) -> HttpResponse:
        """Changes a class, or takes it out of the label book (`do` is `delete`)."""
        found = queries.class_named(class_id)
        if request.POST.get("do") == "delete":
            classes.delete_class(class_id=class_id, by=self.seat.principal)
            messages.success(request, f"“{found.name}” is taken out of the label book. What was labelled stays.")
        else:
            changes = form_values(ClassChange, request.POST)
            expect = as_seen(request, ClassSerializer)
            changed = classes.update_class(class_id=class_id, by=self.seat.principal, expect=expect, **changes)
            messages.success(request, f"“{changed.name}” is changed.")
        return self.shown_after(found.project_id)
