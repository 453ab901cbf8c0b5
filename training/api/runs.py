"""Views of runs."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView, checked
from tenants.permissions import Permission
from training.api.serializers import RunDetailSerializer, RunInput, RunSerializer
from training.domain import queries, runs


class RunsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}

    @extend_schema(operation_id="runs_list", parameters=PAGE_PARAMETERS, responses=page_of(RunSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """Runs of the project, newest first."""
        return paginated(request, queries.runs(project_id), RunSerializer)

    @extend_schema(operation_id="runs_create", request=RunInput, responses={202: RunDetailSerializer})
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Trains a recipe on a snapshot, in a job."""
        asked = checked(RunInput, request)
        run = runs.start_run(
            project_id=project_id,
            by=self.principal,
            snapshot_id=asked.get("snapshot"),
            recipe=asked["recipe"],
            seed=asked["seed"],
        )
        headers = {"Location": f"/api/v1/jobs/{run.job_id}"}
        return Response(RunDetailSerializer(run).data, status=202, headers=headers)


class RunView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="runs_read", responses=RunDetailSerializer)
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        """One run: state, progress with losses, time left, error, model."""
        return Response(RunDetailSerializer(queries.run_named(run_id)).data)


class CancelRunView(TenantView):
    needs: ClassVar = {"POST": Permission.TRAIN}

    @extend_schema(operation_id="runs_cancel", request=None, responses=RunDetailSerializer)
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        """Cancels a run: at once while it waits, within seconds while it is computed."""
        return Response(RunDetailSerializer(runs.cancel_run(run_id=run_id, by=self.principal)).data)
