"""Views of annotations and of what a project holds."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from projects.api.annotation_serializers import (
    AnnotatingSerializer,
    AnnotationSerializer,
    AnnotationsInput,
    StatisticsSerializer,
)
from projects.domain import annotations, queries, statistics
from tenants.api.pagination import paginated
from tenants.api.schema import page_of, page_parameters
from tenants.api.views import TenantView
from tenants.permissions import Permission

# Images a call.
MAX_ANNOTATED = 1000
# Versions a page: each brings its boxes, of which there may be a thousand.
MAX_VERSIONS = 10


class AnnotateView(TenantView):
    needs: ClassVar = {"POST": Permission.LABEL}
    max_body = 8 * 1024 * 1024

    @extend_schema(operation_id="annotations_write", request=AnnotationsInput, responses=AnnotatingSerializer)
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Annotates up to 1,000 images, each in a new version, and answers image by image."""
        items = request.data.get("annotations") if isinstance(request.data, dict) else None
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_ANNOTATED:
            raise ParseError(f"`annotations` must be a list of 1 to {MAX_ANNOTATED} items.")
        outcomes = annotations.annotate(project_id=project_id, items=items, by=self.principal)
        return Response({"results": [annotations.as_json(outcome) for outcome in outcomes]})


class ImageAnnotationsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    tagged = AnnotationSerializer

    @extend_schema(
        operation_id="annotations_list",
        parameters=page_parameters(most=MAX_VERSIONS),
        responses=page_of(AnnotationSerializer),
    )
    def get(self, request: Request, image_id: uuid.UUID) -> Response:
        """The versions of an image's annotation, newest first."""
        return paginated(request, queries.annotations(image_id), AnnotationSerializer, most=MAX_VERSIONS)


class AnnotationView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="annotations_read", responses=AnnotationSerializer)
    def get(self, request: Request, annotation_id: uuid.UUID) -> Response:
        """One version of an image's annotation."""
        return Response(AnnotationSerializer(queries.annotation_named(annotation_id)).data)


class StatisticsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="projects_statistics", responses=StatisticsSerializer)
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """How many images a project holds, how many are labelled, and what its classes count."""
        return Response(StatisticsSerializer(statistics.project_statistics(project_id=project_id)).data)
