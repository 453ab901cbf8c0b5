"""What a person sees where a client of the API would read a problem document."""

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tenants.api import problems
from tenants.refusals import NotFound, Refusal
from tenants.storage import StorageUnavailable

logger = logging.getLogger(__name__)


class _Unavailable(Refusal):
    status = 503
    title = "Unavailable for now"
    retry_after = 5


class _Stale(Refusal):
    status = 403
    title = "This form is too old"


def problem_page(request: HttpRequest, refusal: Refusal, *, seat: Any = None) -> HttpResponse:
    """The refusal as a page. Missing and foreign look alike: a 404 shows nothing of any tenant."""
    shown = None if isinstance(refusal, NotFound) else seat
    context = {"refusal": refusal, "seat": shown, "tenant": shown.tenant if shown else None}
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
