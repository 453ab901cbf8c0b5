"""Views of projects and their label books."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from projects.api.serializers import (
    ClassChange,
    ClassInput,
    ClassSerializer,
    ProjectChange,
    ProjectInput,
    ProjectSerializer,
)
from projects.domain import classes, projects, queries
from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView, checked
from tenants.permissions import Permission

LIST: dict[str, Permission] = {"GET": Permission.READ, "POST": Permission.EDIT}
ONE: dict[str, Permission] = {"GET": Permission.READ, "PATCH": Permission.EDIT, "DELETE": Permission.EDIT}


class ProjectsView(TenantView):
    needs: ClassVar = LIST

    @extend_schema(operation_id="projects_list", parameters=PAGE_PARAMETERS, responses=page_of(ProjectSerializer))
    def get(self, request: Request) -> Response:
        """The tenant's projects, newest first."""
        return paginated(request, queries.projects(), ProjectSerializer)

    @extend_schema(operation_id="projects_create", request=ProjectInput, responses={201: ProjectSerializer})
    def post(self, request: Request) -> Response:
        """Makes a project."""
        project = projects.create_project(**checked(ProjectInput, request), by=self.principal)
        return Response(ProjectSerializer(project).data, status=201)


class ProjectView(TenantView):
    needs: ClassVar = ONE
    tagged = ProjectSerializer

    @extend_schema(operation_id="projects_read", responses=ProjectSerializer)
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """One project."""
        return Response(ProjectSerializer(queries.project_named(project_id)).data)

    @extend_schema(operation_id="projects_update", request=ProjectChange, responses=ProjectSerializer)
    def patch(self, request: Request, project_id: uuid.UUID) -> Response:
        """Changes name or description."""
        changes = checked(ProjectChange, request)
        project = projects.update_project(project_id=project_id, by=self.principal, expect=self.expected, **changes)
        return Response(ProjectSerializer(project).data)

    @extend_schema(operation_id="projects_delete", responses={204: None})
    def delete(self, request: Request, project_id: uuid.UUID) -> Response:
        """Deletes a project and its images."""
        projects.delete_project(project_id=project_id, by=self.principal, expect=self.expected)
        return Response(status=204)


class ClassesView(TenantView):
    needs: ClassVar = LIST

    @extend_schema(operation_id="classes_list", parameters=PAGE_PARAMETERS, responses=page_of(ClassSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """The label book of a project."""
        return paginated(request, queries.classes(project_id), ClassSerializer)

    @extend_schema(operation_id="classes_create", request=ClassInput, responses={201: ClassSerializer})
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Adds a class to the label book."""
        made = classes.create_class(project_id=project_id, by=self.principal, **checked(ClassInput, request))
        return Response(ClassSerializer(made).data, status=201)


class ClassView(TenantView):
    needs: ClassVar = ONE
    tagged = ClassSerializer

    @extend_schema(operation_id="classes_read", responses=ClassSerializer)
    def get(self, request: Request, class_id: uuid.UUID) -> Response:
        """One class."""
        return Response(ClassSerializer(queries.class_named(class_id)).data)

    @extend_schema(operation_id="classes_update", request=ClassChange, responses=ClassSerializer)
    def patch(self, request: Request, class_id: uuid.UUID) -> Response:
        """Changes what the label book says of a class."""
        changes = checked(ClassChange, request)
        changed = classes.update_class(class_id=class_id, by=self.principal, expect=self.expected, **changes)
        return Response(ClassSerializer(changed).data)

    @extend_schema(operation_id="classes_delete", responses={204: None})
    def delete(self, request: Request, class_id: uuid.UUID) -> Response:
        """Takes a class out of the label book."""
        classes.delete_class(class_id=class_id, by=self.principal, expect=self.expected)
        return Response(status=204)
