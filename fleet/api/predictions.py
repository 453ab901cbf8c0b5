"""Views of hosted prediction. The web's gateway hands these two addresses to the process that serves them."""

import math
import uuid
from typing import ClassVar

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from fleet.api.parsers import OctetParser, PictureParser
from fleet.api.serializers import PictureInput, PredictInput, PredictionSerializer
from fleet.domain import predictions
from fleet.domain.predictions import Picture
from tenants.api.parsers import ShallowJSONParser
from tenants.api.views import TenantView, TooLarge, checked
from tenants.permissions import Permission
from tenants.refusals import Invalid

DEFAULT_THRESHOLD = 0.3
MAX_JSON_BYTES = 16 * 1024
PARAMETERS = [
    OpenApiParameter(
        "threshold",
        float,
        description=f"Least score of a defect that is returned, 0 to 1; {DEFAULT_THRESHOLD} unless told. Models that"
        " judge whole images return no defects, and do without.",
    )
]
REQUEST = {
    "image/*": OpenApiTypes.BINARY,
    "multipart/form-data": PictureInput,
    "application/json": PredictInput,
}


class _PredictView(TenantView):
    needs: ClassVar = {"POST": Permission.PREDICT}
    scoped = False
    parser_classes = (PictureParser, OctetParser, MultiPartParser, ShallowJSONParser)

    @property
    def max_body(self) -> int:  # type: ignore[override]  # a picture may be large, JSON here names one id
        pictures = (self.request.content_type or "").startswith(("image/", "multipart/", "application/octet-stream"))
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) if pictures else MAX_JSON_BYTES


class ModelPredictView(_PredictView):
    @extend_schema(
        operation_id="models_predict", parameters=PARAMETERS, request=REQUEST, responses=PredictionSerializer
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """What the model says of the image sent, or of an image of the tenant's."""
        picture, threshold = picture_in(request), threshold_in(request)
        found = predictions.predict_with_model(
            model_id=model_id, picture=picture, threshold=threshold, by=self.principal
        )
        return Response(PredictionSerializer(found).data)


class ProjectPredictView(_PredictView):
    @extend_schema(
        operation_id="projects_predict", parameters=PARAMETERS, request=REQUEST, responses=PredictionSerializer
    )
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """What the project's promoted model finds: an address that stays when a better model is promoted."""
        picture, threshold = picture_in(request), threshold_in(request)
        found = predictions.predict_for_project(
            project_id=project_id, picture=picture, threshold=threshold, by=self.principal
        )
        return Response(PredictionSerializer(found).data)


def picture_in(request: Request) -> Picture:
    """The picture a request brings or names. Raises Invalid, ValidationError or TooLarge."""
    content_type = (request.content_type or "").partition(";")[0].strip().lower()
    if content_type == "application/json":
        return Picture(image_id=checked(PredictInput, request)["image"])
    if content_type == "multipart/form-data":
        data = checked(PictureInput, request)["file"].read()
    else:
        data = request.data.get("bytes", b"") if isinstance(request.data, dict) else b""
    if len(data) > settings.MAX_DOOR_BYTES:
        raise TooLarge(settings.MAX_DOOR_BYTES)
    if not data:
        raise Invalid(
            "image", "No image was sent.", hint="Send an image's bytes, a form with `file`, or JSON with `image`."
        )
    return Picture(data=data)


def threshold_in(request: Request) -> float:
    text = request.query_params.get("threshold")
    if text is None:
        return DEFAULT_THRESHOLD
    try:
        threshold = float(text)
    except ValueError:
        threshold = math.nan
    if not 0 <= threshold <= 1:
        raise Invalid("threshold", "`threshold` must be a number from 0 to 1.")
    return threshold
