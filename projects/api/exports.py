"""Views of exports of snapshots."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from projects.api.export_serializers import ExportInput, SnapshotExportSerializer
from projects.domain import exports, queries
from projects.models import SnapshotExport
from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView, checked
from tenants.permissions import Permission


class ExportsView(TenantView):
    # Whoever may make a snapshot may have it packed; whoever may read it may fetch what was packed.
    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}

    @extend_schema(operation_id="exports_list", parameters=PAGE_PARAMETERS, responses=page_of(SnapshotExportSerializer))
    def get(self, request: Request, snapshot_id: uuid.UUID) -> Response:
        """Exports of a snapshot, newest first."""
        return paginated(request, queries.exports(snapshot_id), SnapshotExportSerializer)

    @extend_schema(
        operation_id="exports_create",
        request=ExportInput,
        responses={200: SnapshotExportSerializer, 202: SnapshotExportSerializer},
    )
    def post(self, request: Request, snapshot_id: uuid.UUID) -> Response:
        """Packs a snapshot's images and boxes as a zip, in a job; one that is packed already is answered with 200."""
        asked = checked(ExportInput, request)["format"]
        export = exports.request_export(snapshot_id=snapshot_id, file_format=asked, by=self.principal)
        if export.status == SnapshotExport.Status.READY:
            return Response(SnapshotExportSerializer(export).data)
        headers = {"Location": f"/api/v1/jobs/{export.job_id}"}
        return Response(SnapshotExportSerializer(export).data, status=202, headers=headers)


class ExportView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="exports_read", responses=SnapshotExportSerializer)
    def get(self, request: Request, export_id: uuid.UUID) -> Response:
        """One export."""
        return Response(SnapshotExportSerializer(queries.export_named(export_id)).data)


class ExportFileView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False

    @extend_schema(operation_id="exports_file", responses={302: None})
    def get(self, request: Request, export_id: uuid.UUID) -> Response:
        """Redirects to a short-lived address of the zip, whose SHA-256 is the export's."""
        address = exports.export_address(export_id=export_id, by=self.principal)
        return Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})
