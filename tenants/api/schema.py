"""What the OpenAPI schema says of things that every list shares."""

import re
import uuid
from typing import Any

from django.urls import resolve
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field, inline_serializer
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


@extend_schema_field(OpenApiTypes.BINARY)
class SentFile(serializers.FileField):
    """A file in a form. Of a plain FileField the schema would say that it takes an address, as answers give one."""


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


_ETAG = {"schema": {"type": "string"}, "example": '"9f86d081884c7d65.2c26b46b68ffc68f"'}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "description": "The ETag of what was read: nothing is done (412) when somebody has edited it since. Counters and"
    " the like, which go on by themselves, do not matter.",
    **_ETAG,
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The ETag of a copy: 304 without a body while it is good.",
    **_ETAG,
}
_SECONDS = {"schema": {"type": "integer", "minimum": 0}}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "Of what is answered; for If-Match and If-None-Match.", **_ETAG},
    "Location": {"description": "Where to go on: the job at work, or the file.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests at once: the key's, or its tenant's if scarcer.", **_SECONDS},
    "RateLimit-Remaining": {"description": "Of those, what is left.", **_SECONDS},
    "RateLimit-Reset": {"description": "Seconds until all are there again.", **_SECONDS},
    "Retry-After": {"description": "Seconds after which the same request may succeed.", **_SECONDS},
    "X-Request-Id": {"description": "The request's name in the log; quote it to support.", "schema": _TEXT},
}
_LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-Id")


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(description: str, *headers: str) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "headers": _headers(*headers, *_LIMITS), "content": content}


RESPONSES = {
    "Problem": _problem("A problem."),
    "RateLimited": _problem("Too many requests (`rate_limited`).", "Retry-After"),
    "PreconditionFailed": _problem("It was edited since it was read (`precondition_failed`)."),
    "NotModified": {"description": "The copy is good.", "headers": _headers("ETag", *_LIMITS)},
}


def without_pages(endpoints: list[Any], **_: Any) -> list[Any]:
    """The API's own addresses: below /t/ the same views stand for our pages' scripts.

    A preprocessing hook of drf-spectacular; an endpoint begins with its path.
    """
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]


def document_shared(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds what holds for every operation: problems, limits, headers, tags, and the Idempotency-Key of a POST.

    A postprocessing hook of drf-spectacular.
    """
    components = result["components"]
    components["schemas"]["Problem"] = PROBLEM
    components["headers"], components["responses"] = HEADERS, RESPONSES
    for path, operations in result["paths"].items():
        tagged = getattr(_view_at(path), "tagged", None) is not None
        for method, operation in operations.items():
            operation.setdefault("summary", _first_sentence(operation.get("description", "")))
            _document(operation, method=method, tagged=tagged)
    return result


def _document(operation: dict[str, Any], *, method: str, tagged: bool) -> None:
    responses = operation["responses"]
    for status, response in responses.items():
        further = ["Location"] if status in ("202", "302") else []
        further += ["ETag"] if tagged and status == "200" else []
        response["headers"] = _headers(*further, *_LIMITS)
    takes: list[dict[str, Any]] = []
    if method == "post" and operation.get("security"):
        takes.append(IDEMPOTENCY_KEY)
    if tagged and method == "get":
        takes.append(IF_NONE_MATCH)
        responses["304"] = {"$ref": "#/components/responses/NotModified"}
    if tagged and method in ("patch", "delete"):
        takes.append(IF_MATCH)
        responses["412"] = {"$ref": "#/components/responses/PreconditionFailed"}
    if takes:
        operation["parameters"] = takes + operation.get("parameters", [])
    responses["429"] = {"$ref": "#/components/responses/RateLimited"}
    responses["default"] = {"$ref": "#/components/responses/Problem"}


def _view_at(path: str) -> Any:
    """The class of the view; every id in a path is a UUID."""
    found: Any = resolve(re.sub(r"{\w+}", str(uuid.UUID(int=0)), path)).func
    return found.cls


def _first_sentence(text: str) -> str:
    return re.split(r"[.:](?:\s|$)", text, maxsplit=1)[0].replace("\n", " ")
