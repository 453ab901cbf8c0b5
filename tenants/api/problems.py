"""Errors as RFC 9457 problem documents, with a stable `code` and a `hint`.

A body carries nothing that varies between a missing and a foreign id: no address, no request id (a header does).
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from tenants.refusals import NotFound, Refusal
from tenants.storage import StorageUnavailable

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_CORRECT = "Correct the input and send it again."
_HINTS = {
    401: "Send `Authorization: Bearer myr_…` with a key that is neither expired nor revoked.",
    403: "Ask an owner or admin for a role, or a key whose scopes include this.",
    405: "See the OpenAPI schema at /api/v1/schema for the methods of this address.",
    413: "Send the file through /uploads, which has no such limit.",
    415: "Send application/json, unless the schema names another type.",
}
_CODES = {
    400: ("validation_failed", "The input is not valid"),
    401: ("not_authenticated", "No valid credentials"),
    403: ("permission_denied", "Not allowed"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("too_large", "Too large"),
    415: ("unsupported_media_type", "Unsupported media type"),
    503: ("unavailable", "Unavailable for now"),
}


def document(status: int, *, code: str, title: str, detail: str, hint: str, **extra: Any) -> dict[str, Any]:
    """A problem document (RFC 9457 §3), with our members `code` and `hint`."""
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        **extra,
    }


def of_refusal(refusal: Refusal) -> Response:
    body = document(
        refusal.status,
        code=refusal.code,
        title=refusal.title,
        detail=refusal.detail,
        hint=refusal.hint or _HINTS.get(refusal.status, _CORRECT),
        **refusal.extra,
    )
    return _response(refusal.status, body, {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """What Django REST framework calls for an exception in a view; None lets it become a 500."""
    if isinstance(error, Http404):
        error = NotFound()
    if isinstance(error, Refusal):
        return of_refusal(error)
    if isinstance(error, StorageUnavailable):
        logger.error("storage: %s", error)
        code, title = _CODES[503]
        body = document(503, code=code, title=title, detail="The object storage does not answer.", hint="Try again.")
        return _response(503, body, {"Retry-After": "5"})
    if isinstance(error, exceptions.APIException):
        return _of_api_exception(error)
    return None


def _of_api_exception(error: exceptions.APIException) -> Response:
    status = error.status_code
    code, title = _CODES.get(status, ("error", "Error"))
    extra: dict[str, Any] = {}
    detail = str(error.detail)
    if isinstance(error, exceptions.ValidationError):
        errors = list(flatten("", error.detail))
        extra["errors"] = errors
        detail = "; ".join(f"{found['field']}: {found['detail']}" for found in errors)
    headers = {"WWW-Authenticate": 'Bearer realm="myriad"'} if status == 401 else {}
    hint = _HINTS.get(status, _CORRECT)
    return _response(status, document(status, code=code, title=title, detail=detail, hint=hint, **extra), headers)


def flatten(path: str, detail: Any) -> Iterator[dict[str, str]]:
    """A serializer's errors, nested as its fields are, each as its `field` below `path` and its `detail`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            # The items of a list come by their index.
            place = f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}" if path else str(name)
            yield from flatten(place, inner)
    elif isinstance(detail, list) and any(isinstance(inner, dict | list) for inner in detail):
        for index, inner in enumerate(detail):
            yield from flatten(f"{path}[{index}]", inner)
    elif isinstance(detail, list):
        for inner in detail:
            yield {"field": path, "detail": str(inner)}
    else:
        yield {"field": path, "detail": str(detail)}


def _response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: an address that no route matches."""
    refusal = NotFound()
    body = document(404, code=refusal.code, title=refusal.title, detail=refusal.detail, hint=refusal.hint)
    return HttpResponse(json.dumps(body), status=404, content_type=CONTENT_TYPE)


# Most often a host that ALLOWED_HOSTS does not name.
MALFORMED_HINT = "Check the address and the headers. Operators: ALLOWED_HOSTS names the hosts the service answers for."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a request it refused itself, such as one for a host that is not ours."""
    code, title = _CODES[400]
    body = document(400, code=code, title=title, detail="The request is malformed.", hint=MALFORMED_HINT)
    return HttpResponse(json.dumps(body), status=400, content_type=CONTENT_TYPE)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: says nothing of the cause; the log has it under the request's id."""
    body = document(
        500,
        code="server_error",
        title="Our mistake",
        detail="Something went wrong on our side; nothing of this request was kept.",
        hint="Try again; if it stays so, send the operator the X-Request-Id of this answer.",
    )
    return HttpResponse(json.dumps(body), status=500, content_type=CONTENT_TYPE)
