"""Views of models: how good they are, where they came from, and their files."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView
from tenants.permissions import Permission
from tenants.refusals import Invalid
from training.api.serializers import (
    ComparisonSerializer,
    ExportSerializer,
    ModelDetailSerializer,
    ModelSerializer,
    OperatingSerializer,
    PricesInput,
)
from training.domain import comparing, models, operating, queries

WITH = OpenApiParameter("with", OpenApiTypes.UUID, required=True, description="The model to compare with.")


class ModelsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="models_list", parameters=PAGE_PARAMETERS, responses=page_of(ModelSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """Models of the project, newest first."""
        return paginated(request, queries.models(project_id), ModelSerializer)


class ModelView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="models_read", responses=ModelDetailSerializer)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """One model: its evaluation with intervals, and everything that it came from."""
        return Response(ModelDetailSerializer(queries.model_named(model_id)).data)


class ExportView(TenantView):
    needs: ClassVar = {"POST": Permission.TRAIN}

    @extend_schema(operation_id="models_export", request=None, responses={200: ExportSerializer, 202: ExportSerializer})
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Makes one self-contained ONNX file of the model, in a job; 200 when there is one already."""
        model, job = models.export_model(model_id=model_id, by=self.principal)
        answer = ExportSerializer({"model": model.id, "job": job.id if job else None}).data
        if job is None:
            return Response(answer)
        return Response(answer, status=202, headers={"Location": f"/api/v1/jobs/{job.id}"})


class CompareView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False

    @extend_schema(operation_id="models_compare", parameters=[WITH], responses=ComparisonSerializer)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """How much better the model `with` which it is compared (b) is than this one (a), if one can tell."""
        with_id = _model_id(request.query_params.get("with", ""))
        found = comparing.compare_models(model_id=model_id, with_id=with_id, by=self.principal)
        return Response(ComparisonSerializer(found).data)


class OperatingView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False

    @extend_schema(operation_id="models_operating", parameters=[PricesInput], responses=OperatingSerializer)
    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        """Which parts would pass and which be rejected from each score on, and the score that costs least."""
        prices = prices_of(request.query_params)
        return Response(
            OperatingSerializer(operating.operating_points(model_id=model_id, prices=prices, by=self.principal)).data
        )


class _FileView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False
    which: ClassVar[models.File]

    def get(self, request: Request, model_id: uuid.UUID) -> Response:
        address = models.file_address(model_id=model_id, which=self.which, by=self.principal)
        return Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})


@extend_schema_view(get=extend_schema(operation_id="models_predictions", responses={302: None}))
class PredictionsView(_FileView):
    """Redirects to a short-lived address of what the model predicted for each image of its evaluation (JSON)."""

    which = "predictions"


@extend_schema_view(get=extend_schema(operation_id="models_onnx", responses={302: None}))
class OnnxView(_FileView):
    """Redirects to a short-lived address of the exported ONNX file."""

    which = "onnx"


@extend_schema_view(get=extend_schema(operation_id="models_manifest", responses={302: None}))
class ExportManifestView(_FileView):
    """Redirects to a short-lived address of the manifest that goes with the exported file (JSON)."""

    which = "manifest"


def prices_of(given: Mapping[str, Any]) -> operating.Prices:
    """Raises ValidationError."""
    read = PricesInput(data=dict(given.items()))
    read.is_valid(raise_exception=True)
    return operating.Prices(**read.validated_data)


def _model_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        hint = "See GET /api/v1/projects/{id}/models."
        raise Invalid("with", "`with` must be the id of a model.", hint=hint) from error
