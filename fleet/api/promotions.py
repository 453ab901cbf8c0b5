"""Views of which model answers for a project."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fleet.api.serializers import PromotionSerializer
from fleet.domain import promotions, queries
from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView
from tenants.permissions import Permission


class PromoteView(TenantView):
    needs: ClassVar = {"POST": Permission.DEPLOY}

    @extend_schema(
        operation_id="models_promote", request=None, responses={200: PromotionSerializer, 201: PromotionSerializer}
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """From now on the model answers at its project's address. 200 when it does so already."""
        promotion, new = promotions.promote_model(model_id=model_id, by=self.principal)
        return Response(PromotionSerializer(promotion).data, status=201 if new else 200)


class PromotionsView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="promotions_list", parameters=PAGE_PARAMETERS, responses=page_of(PromotionSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """What was promoted in the project, newest first: the first is what answers."""
        return paginated(request, queries.promotions(project_id), PromotionSerializer)
