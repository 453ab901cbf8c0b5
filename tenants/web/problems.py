"""What a person sees where a client of the API would read a problem document."""

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from tenants.api import problems
from tenants.refusals import NotFound, Refusal
from tenants.storage import StorageUnavailable
from tenants.tracing import request_id

logger = logging.getLogger(__name__)


class _Unavailable(Refusal):
    status = 503
    title = "Unavailable for now"
    retry_after = 5


class _Malformed(Refusal):
    status = 400
    title = "This request cannot be read"


class _OurMistake(Refusal):
    status = 500
    title = "Our mistake"


class _Stale(Refusal):
    status = 403
    title = "This form is too old"


def problem_page(request: HttpRequest, refusal: Refusal, *, seat: Any = None) -> HttpResponse:
    """The refusal as a page. Missing and foreign look alike: a 404 shows nothing of any tenant."""
    shown = None if isinstance(refusal, NotFound) else seat
    context = {"problem": refusal, "seat": shown, "tenant": shown.tenant if shown else None}
    page = render(request, "problem.html", context, status=refusal.status)
    page["Cache-Control"] = "no-store"
    if refusal.retry_after:
        page["Retry-After"] = str(refusal.retry_after)
    return page


def storage_page(request: HttpRequest, error: StorageUnavailable, *, seat: Any) -> HttpResponse:
    logger.error("storage: %s", error)
    return problem_page(
        request, _Unavailable("The object storage does not answer.", hint="Try again in a moment."), seat=seat
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    logger.info("csrf: %s", reason)
    return problem_page(
        request,
        _Stale("The page was open too long, or cookies are off.", hint="Go back, reload the page and send it again."),
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: a problem document below /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return problems.page_not_found(request, exception)
    return problem_page(request, NotFound())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: what it refused itself, such as a request for a host that is not ours."""
    if request.path.startswith("/api/"):
        return problems.bad_request(request, exception)
    return _bare_page(_Malformed("The request is malformed.", hint=problems.MALFORMED_HINT))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: says nothing of the cause; the log has it under the request's id."""
    if request.path.startswith("/api/"):
        return problems.server_error(request)
    hint = f"Go back and try again; if it stays so, tell the operator the number {request_id.get()}."
    return _bare_page(_OurMistake("Something went wrong on our side; nothing of this was kept.", hint=hint))


def _bare_page(refusal: Refusal) -> HttpResponse:
    """Of nothing but the refusal: session and database may be what is broken."""
    page = HttpResponse(render_to_string("problem.html", {"problem": refusal, "seat": None}), status=refusal.status)
    page["Cache-Control"] = "no-store"
    return page
