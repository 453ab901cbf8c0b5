"""The base of every page under a tenant's address: who asks, deny by default, scopes that end before rendering."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from tenants.api import limits
from tenants.domain.seats import SignedIn, seat_here, tenant_of
from tenants.models import User
from tenants.permissions import Permission
from tenants.refusals import NotFound, Refusal
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable
from tenants.tracing import acting_for
from tenants.web.problems import problem_page, storage_page


class MayNot(Refusal):
    status = 403
    code = "permission_denied"
    title = "Not allowed"

    def __init__(self) -> None:
        super().__init__("Your role does not allow this.", hint="Ask an owner or admin of this tenant for a role.")


class TenantPage(View):
    """A page of one tenant, at /t/<slug>/….

    `needs` names, for each method, the permission it asks for; a method without one is denied. A GET is `read`, run in
    the tenant's scope, whose context is whole when the scope ends; then `sign` adds addresses of S3, outside; then
    `template` is rendered. A POST is `act`, in the scope unless `acts_scoped` is False, which answers a redirect; when
    it refuses, the page is shown again with the refusal above it.
    """

    needs: ClassVar[Mapping[str, Permission]] = {}
    template: ClassVar[str]
    acts_scoped: ClassVar[bool] = True
    # Bytes of a form's body, which `tenants.web.bodies` holds it to.
    max_body: ClassVar[int] = 1024 * 1024
    http_method_names = ["get", "head", "post"]
    # Which entry of the navigation this page stands under.
    section: ClassVar[str] = ""

    seat: SignedIn
    tenant_id: uuid.UUID
    user_id: uuid.UUID

    def dispatch(self, request: HttpRequest, *_: Any, tenant: str, **named: Any) -> HttpResponse:
        user = request.user
        if not isinstance(user, User):
            if "HX-Request" in request.headers:
                # A script asked for a part of a page: the whole page is to go to the sign-in, and to come back to.
                return HttpResponse(headers={"HX-Refresh": "true"})
            return redirect_to_login(request.get_full_path() if request.method == "GET" else reverse("home"))
        try:
            self.user_id, self.tenant_id = user.id, tenant_of(user_id=user.id, slug=tenant)
            acting_for.set(self.tenant_id)
            verdict = limits.take_for_person(user.id, tenant_id=self.tenant_id)
            if not verdict.allowed:
                raise limits.RateLimited(verdict)
            return self._answer(request, named)
        except Refusal as refusal:
            return problem_page(request, refusal, seat=getattr(self, "seat", None))
        except StorageUnavailable as error:
            return storage_page(request, error, seat=self.seat)

    def _answer(self, request: HttpRequest, named: Mapping[str, Any]) -> HttpResponse:
        method = "GET" if request.method == "HEAD" else request.method or ""
        handler = {"GET": "read", "POST": "act"}.get(method, "")
        if method not in self.needs or not hasattr(self, handler):
            return self.http_method_not_allowed(request)
        return self._shown(request, named) if method == "GET" else self._done(request, named)

    def _done(self, request: HttpRequest, named: Mapping[str, Any]) -> HttpResponse:
        _ = request.POST  # read before a scope opens: a slow sender must not hold a transaction
        act: Any = self.act  # type: ignore[attr-defined]  # each page has its own ids
        try:
            with self._seated("POST"):
                answer: HttpResponse | None = act(request, **named) if self.acts_scoped else None
            return answer or act(request, **named)
        except (NotFound, MayNot):
            raise
        except Refusal as refusal:
            if not hasattr(self, "read"):
                raise
            return self._shown(request, named, refusal=refusal)

    def _shown(self, request: HttpRequest, named: Mapping[str, Any], refusal: Refusal | None = None) -> HttpResponse:
        read: Any = self.read  # type: ignore[attr-defined]  # each page has its own ids
        with self._seated("GET"):
            context: dict[str, Any] = read(request, **named)
        self.sign(context)
        return self.rendered(request, context, refusal=refusal)

    @contextmanager
    def _seated(self, method: str) -> Iterator[None]:
        """The tenant's scope, with `seat` looked up in it. Raises MayNot when its role does not allow the method."""
        with tenant_scope(self.tenant_id):
            self.seat = seat_here(user_id=self.user_id)
            needed = self.needs.get(method)
            if needed is None or not self.seat.principal.may(needed):
                raise MayNot
            yield

    @contextmanager
    def telling(self, context: dict[str, Any], name: str) -> Iterator[None]:
        """What is refused within is told by a part of the page, as `name`; what is not there is no page at all."""
        try:
            yield
        except NotFound:
            raise
        except Refusal as refusal:
            context[name] = refusal

    def sign(self, context: dict[str, Any]) -> None:
        """Adds what S3 is asked for; no scope is open."""

    def rendered(
        self, request: HttpRequest, context: Mapping[str, Any], *, refusal: Refusal | None = None
    ) -> HttpResponse:
        """The page, with what every page shows. `given` is what was sent, so that a refused form is not empty."""
        shared = {"seat": self.seat, "tenant": self.seat.tenant, "section": self.section, "refusal": refusal}
        given = request.POST if refusal is not None else {}
        page = render(
            request,
            self.template,
            shared | {"given": given} | dict(context),
            status=refusal.status if refusal is not None else 200,
        )
        # What a page shows may be gone, or secret, the next moment: the browser keeps none.
        page["Cache-Control"] = "no-store"
        return page

    def address(self, name: str, *arguments: Any) -> str:
        """The address of another page of this tenant."""
        return reverse(name, args=[self.seat.tenant.slug, *arguments])
