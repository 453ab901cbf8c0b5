"""Views of snapshots."""

import uuid
from typing import ClassVar, Literal

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from projects.api.snapshot_serializers import (
    DifferenceSerializer,
    SnapshotDiffSerializer,
    SnapshotInput,
    SnapshotSerializer,
)
from projects.domain import queries, snapshots
from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView, checked
from tenants.permissions import Permission
from tenants.refusals import Invalid

AGAINST = OpenApiParameter("against", OpenApiTypes.UUID, required=True, description="The snapshot to start from.")


class SnapshotsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}

    @extend_schema(operation_id="snapshots_list", parameters=PAGE_PARAMETERS, responses=page_of(SnapshotSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """Snapshots, newest first."""
        return paginated(request, queries.snapshots(project_id), SnapshotSerializer)

    @extend_schema(operation_id="snapshots_create", request=SnapshotInput, responses={202: SnapshotSerializer})
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Freezes what is labelled, in a job: all READY images with an accepted annotation."""
        snapshot = snapshots.create_snapshot(
            project_id=project_id, by=self.principal, **checked(SnapshotInput, request)
        )
        headers = {"Location": f"/api/v1/jobs/{snapshot.job_id}"}
        return Response(SnapshotSerializer(snapshot).data, status=202, headers=headers)


class SnapshotView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="snapshots_read", responses=SnapshotSerializer)
    def get(self, request: Request, snapshot_id: uuid.UUID) -> Response:
        """One snapshot."""
        return Response(SnapshotSerializer(queries.snapshot_named(snapshot_id)).data)


class SnapshotDiffView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False

    @extend_schema(operation_id="snapshots_diff", parameters=[AGAINST], responses=SnapshotDiffSerializer)
    def get(self, request: Request, snapshot_id: uuid.UUID) -> Response:
        """What changed from `against` to this snapshot: images, their boxes, classes."""
        against_id = _snapshot_id(request.query_params.get("against", ""))
        found = snapshots.diff_snapshots(snapshot_id=snapshot_id, against_id=against_id, by=self.principal)
        compared = {"snapshot": str(snapshot_id), "against": str(against_id)}
        return Response(compared | DifferenceSerializer(found).data)


class _FileView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False
    which: ClassVar[Literal["manifest", "coco"]]

    def get(self, request: Request, snapshot_id: uuid.UUID) -> Response:
        address = snapshots.snapshot_address(snapshot_id=snapshot_id, which=self.which, by=self.principal)
        return Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})


@extend_schema_view(get=extend_schema(operation_id="snapshots_manifest", responses={302: None}))
class ManifestView(_FileView):
    """Redirects to a short-lived address of the manifest, whose SHA-256 is the snapshot's."""

    which = "manifest"


@extend_schema_view(get=extend_schema(operation_id="snapshots_coco", responses={302: None}))
class CocoView(_FileView):
    """Redirects to a short-lived address of the snapshot as a COCO file."""

    which = "coco"


def _snapshot_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Invalid(
            "against", "`against` must be the id of a snapshot.", hint="See GET /api/v1/projects/{id}/snapshots."
        ) from error
