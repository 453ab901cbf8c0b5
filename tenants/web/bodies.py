"""How much a page takes, told before anything reads it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tenants.api.views import refuse_unreadable
from tenants.refusals import Refusal
from tenants.web.problems import problem_page

# Bytes of a form, where the page's class does not say `max_body`.
MAX_FORM = 16 * 1024


class BodyLimitMiddleware:
    """Refuses a page's body that is too long. It stands before Django's CSRF middleware, which reads the form.

    Not those of views that say they need no CSRF check: the API's, which look for themselves, with each its own limit.
    """

    def __init__(self, answer: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        if getattr(view, "csrf_exempt", False):
            return None
        try:
            refuse_unreadable(request, max_body=getattr(getattr(view, "view_class", None), "max_body", MAX_FORM))
        except Refusal as refusal:
            return problem_page(request, refusal)
        return None
