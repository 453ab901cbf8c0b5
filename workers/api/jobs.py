"""Views of a tenant's jobs."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView
from tenants.permissions import Permission
from workers.api.serializers import JobDetailSerializer, JobSerializer
from workers.domain import jobs, queries

FILTERS = [OpenApiParameter("state", str), OpenApiParameter("kind", str)]


class JobsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="jobs_list", parameters=PAGE_PARAMETERS + FILTERS, responses=page_of(JobSerializer))
    def get(self, request: Request) -> Response:
        """The tenant's jobs, newest first."""
        found = queries.jobs(state=request.query_params.get("state"), kind=request.query_params.get("kind"))
        return paginated(request, found, JobSerializer)


class JobView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="jobs_read", responses=JobDetailSerializer)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """One job: state, progress, place in the queue, result or error."""
        return Response(JobDetailSerializer(queries.job_named(job_id)).data)


class CancelView(TenantView):
    needs: ClassVar = {"POST": Permission.UPLOAD}

    @extend_schema(operation_id="jobs_cancel", request=None, responses=JobDetailSerializer)
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Cancels a job: at once while it waits, within seconds while it runs."""
        return Response(JobDetailSerializer(jobs.cancel_job(job_id=job_id, by=self.principal)).data)
