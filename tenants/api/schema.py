"""What the OpenAPI schema says of things that every list shares."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from tenants.api.pagination import DEFAULT_LIMIT, MAX_LIMIT

PAGE_PARAMETERS = [
    OpenApiParameter("limit", int, description=f"Rows a page, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} unless told."),
    OpenApiParameter("cursor", str, description="From `next` or `previous` of another page."),
]


def page_of(serializer: type[serializers.BaseSerializer[Any]]) -> Any:
    """The schema of a page of rows."""
    return inline_serializer(
        name=f"{serializer.__name__.removesuffix('Serializer')}Page",
        fields={
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": serializer(many=True),
        },
    )
