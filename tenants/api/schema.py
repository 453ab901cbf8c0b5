"""What the OpenAPI schema says of things that every list shares."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from tenants.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from tenants.api.problems import CONTENT_TYPE


def page_parameters(*, most: int = MAX_LIMIT) -> list[OpenApiParameter]:
    """What a list takes that is `paginated` with this `most`."""
    default = min(DEFAULT_LIMIT, most)
    return [
        OpenApiParameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": most},
            description=f"Rows a page, 1 to {most}; {default} unless told.",
        ),
        OpenApiParameter("cursor", str, description="From `next` or `previous` of another page."),
    ]


PAGE_PARAMETERS = page_parameters()


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


_TEXT = {"type": "string"}
PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is stable; `hint` says what to do about it.",
    "required": ["type", "title", "status", "code", "detail", "hint"],
    "properties": {
        **dict.fromkeys(("type", "title", "code", "detail", "hint"), _TEXT),
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "description": "Which fields of the input cannot be used, and why.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": _TEXT, "detail": _TEXT},
            },
        },
    },
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Repeating a request with the same key has no second effect and is answered as the first was.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def document_shared(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds what holds for every operation: problems, and the Idempotency-Key of a POST that a key makes.

    A postprocessing hook of drf-spectacular.
    """
    result["components"]["schemas"]["Problem"] = PROBLEM
    reference = {"$ref": "#/components/schemas/Problem"}
    for path in result["paths"].values():
        for method, operation in path.items():
            operation["responses"]["default"] = {
                "description": "A problem.",
                "content": {CONTENT_TYPE: {"schema": reference}},
            }
            if method == "post" and operation.get("security"):
                operation.setdefault("parameters", []).insert(0, IDEMPOTENCY_KEY)
    return result
