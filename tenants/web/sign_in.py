"""Pages outside any tenant: signing in and out, choosing a tenant."""

import uuid
from typing import Any

from django.contrib.auth import login, logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from tenants.api import limits
from tenants.domain.seats import seats_of
from tenants.domain.sign_in import sign_in
from tenants.models import User
from tenants.refusals import Refusal
from tenants.web.problems import problem_page


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class PlainPage(View):
    """A page without tenant, small forms only. A client address may send so many at a time."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            verdict = limits.take_for_address(request) if request.method == "POST" else None
            if verdict is not None and not verdict.allowed:
                raise limits.RateLimited(verdict)
            return super().dispatch(request, *args, **kwargs)
        except Refusal as refusal:
            return problem_page(request, refusal)


class SignInPage(PlainPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            return HttpResponseRedirect(_next(request))
        return render(request, "tenants/sign_in.html", {"next": request.GET.get("next", "")})

    def post(self, request: HttpRequest) -> HttpResponse:
        given = request.POST
        try:
            user = sign_in(email=given.get("email", ""), password=given.get("password", ""))
        except Refusal as refusal:
            context = {"refusal": refusal, "email": given.get("email", ""), "next": given.get("next", "")}
            return render(request, "tenants/sign_in.html", context, status=refusal.status)
        login(request, user)  # under a new session key
        return HttpResponseRedirect(_next(request))


class SignOutPage(PlainPage):
    def post(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        return redirect("sign-in")


class HomePage(LoginRequiredMixin, PlainPage):
    """Leads to the projects of the only tenant, or to the choice."""

    def get(self, request: HttpRequest) -> HttpResponse:
        seats = seats_of(user_id=_person(request))
        if len(seats) == 1:
            return redirect("projects", seats[0].tenant.slug)
        return redirect("tenants")


class TenantsPage(LoginRequiredMixin, PlainPage):
    """The tenants in which one has a seat."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "tenants/tenants.html", {"seats": seats_of(user_id=_person(request))})


def _person(request: HttpRequest) -> uuid.UUID:
    """Who signed in; `LoginRequiredMixin` let nobody else in."""
    user = request.user
    assert isinstance(user, User)
    return user.id


def _next(request: HttpRequest) -> str:
    """Where to go on, if it is one of our own addresses."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if ours else "/"
