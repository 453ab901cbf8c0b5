"""From an HTTP answer that is no success to the exception that says so."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

import httpx

from myriad.errors import (
    Conflict,
    FieldError,
    IdempotencyMismatch,
    MyriadError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    UnsupportedMediaType,
    ValidationFailed,
)

_BY_CODE: Mapping[str, type[MyriadError]] = {
    "quota_exceeded": QuotaExceeded,
    "idempotency_mismatch": IdempotencyMismatch,
}

_BY_STATUS: Mapping[int, type[MyriadError]] = {
    400: ValidationFailed,
    401: NotAuthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: ValidationFailed,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}

# What to do, where the answer itself does not say: a proxy in between writes no problem document.
_HINTS: Mapping[type[MyriadError], str] = {
    NotAuthenticated: "Check MYRIAD_API_KEY; it may have been revoked or have expired.",
    PermissionDenied: "Ask an owner or admin of your tenant for a role or key that may do this.",
    NotFound: "Check the id and that MYRIAD_URL is the address of the service.",
    Unavailable: "Try again in a few minutes.",
    RateLimited: "Try again later, or with fewer requests at a time.",
}


def error_from(response: httpx.Response) -> MyriadError:
    """Read a problem document (RFC 9457), or make the best of an answer that is none."""
    if response.is_redirect:
        return UnexpectedAnswer(
            f"{response.request.url.host} sends us to {response.headers.get('location', 'nowhere')}.",
            status=response.status_code,
            code="redirected",
            hint="Set MYRIAD_URL to the address of the service itself.",
            request_id=request_id_of(response),
        )
    problem = _problem(response)
    code = str(problem.get("code") or "")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(response.status_code, MyriadError)
    detail = problem.get("detail") or problem.get("title") or _plain(response)
    return kind(
        str(detail),
        status=response.status_code,
        code=code,
        hint=str(problem.get("hint") or _HINTS.get(kind, "")),
        request_id=request_id_of(response),
        errors=_field_errors(problem.get("errors")),
        retry_after=retry_after_of(response),
    )


def request_id_of(response: httpx.Response) -> str:
    """Give the name of the request in the server's log, or an empty string."""
    return str(response.headers.get("x-request-id", ""))


def retry_after_of(response: httpx.Response) -> float | None:
    """Give the seconds of a Retry-After header, which may be a number or a date; None where there is none."""
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _plain(response: httpx.Response) -> str:
    return f"The server answered {response.status_code} {response.reason_phrase}".rstrip() + "."


def _field_errors(entries: Any) -> tuple[FieldError, ...]:
    if not isinstance(entries, list):
        return ()
    return tuple(
        FieldError(field=str(entry.get("field", "")), detail=str(entry.get("detail", "")))
        for entry in entries
        if isinstance(entry, dict)
    )
