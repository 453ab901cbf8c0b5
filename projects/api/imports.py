"""Views of imports."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from projects.api.import_serializers import (
    CommitInput,
    ImportInput,
    ImportLineSerializer,
    ImportSerializer,
    NewImportSerializer,
)
from projects.domain import imports
from projects.models import Import
from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView, checked
from tenants.permissions import Permission


class ImportsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.UPLOAD}
    replays = False

    @property
    def scoped(self) -> bool:  # type: ignore[override]  # a POST signs a form, which is the storage's doing
        return self.request.method != "POST"

    @extend_schema(operation_id="imports_list", parameters=PAGE_PARAMETERS, responses=page_of(ImportLineSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """Imports, newest first, without their reports."""
        return paginated(request, imports.imports(project_id), ImportLineSerializer)

    @extend_schema(operation_id="imports_create", request=ImportInput, responses={201: NewImportSerializer})
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Announces a zip of images and labels, and answers how to send it. Asking again resumes."""
        row, upload = imports.request_import(project_id=project_id, by=self.principal, **checked(ImportInput, request))
        return Response(ImportSerializer(row).data | {"upload": upload}, status=201)


class ImportView(TenantView):
    needs: ClassVar = {"GET": Permission.READ, "DELETE": Permission.UPLOAD}

    @property
    def scoped(self) -> bool:  # type: ignore[override]  # a DELETE removes the archive, too
        return self.request.method != "DELETE"

    @extend_schema(operation_id="imports_read", responses=ImportSerializer)
    def get(self, request: Request, import_id: uuid.UUID) -> Response:
        """One import, with what its check found."""
        return Response(ImportSerializer(imports.import_named(import_id)).data)

    @extend_schema(operation_id="imports_delete", responses={204: None})
    def delete(self, request: Request, import_id: uuid.UUID) -> Response:
        """Forgets an import and its archive; what it brought into the project stays."""
        imports.delete_import(import_id=import_id, by=self.principal)
        return Response(status=204)


class CheckView(TenantView):
    needs: ClassVar = {"POST": Permission.UPLOAD}
    scoped = False

    @extend_schema(operation_id="imports_check", request=None, responses={202: ImportSerializer})
    def post(self, request: Request, import_id: uuid.UUID) -> Response:
        """Checks an archive that has arrived, in a job. It writes nothing but the report."""
        return _accepted(imports.check_import(import_id=import_id, by=self.principal))


class CommitView(TenantView):
    needs: ClassVar = {"POST": Permission.UPLOAD}

    @extend_schema(operation_id="imports_commit", request=CommitInput, responses={202: ImportSerializer})
    def post(self, request: Request, import_id: uuid.UUID) -> Response:
        """Brings a checked archive's images and boxes into the project, in a job; needs `label` as well."""
        row = imports.commit_import(import_id=import_id, by=self.principal, **checked(CommitInput, request))
        return _accepted(row)


class ResultsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False

    @extend_schema(operation_id="imports_results", responses={302: None})
    def get(self, request: Request, import_id: uuid.UUID) -> Response:
        """Redirects to a short-lived address of the results: a line of JSON an image."""
        address = imports.results_address(import_id=import_id, by=self.principal)
        return Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})


def _accepted(row: Import) -> Response:
    return Response(ImportSerializer(row).data, status=202, headers={"Location": f"/api/v1/jobs/{row.job_id}"})
