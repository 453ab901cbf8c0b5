"""Gives each request an id, which its answer, its log lines and its audit lines carry."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.log import log_response

from tenants.tracing import acting_for, request_id

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Echoes a well-formed X-Request-Id, or makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-Id", "")
        current = given if _ACCEPTABLE.fullmatch(given) else uuid.uuid4().hex
        resets = (request_id.set(current), acting_for.set(None))
        try:
            response = self.get_response(request)
            if response.status_code >= 400:
                # Django would do it (once) when the middleware is done, and the line would bear neither id nor tenant.
                whole: Any = response  # as Django calls it; the stubs are narrower
                log_response("%s: %s", response.reason_phrase, request.path, response=whole, request=request)
        finally:
            request_id.reset(resets[0])
            acting_for.reset(resets[1])
        response["X-Request-Id"] = current
        return response
