"""API keys: made, shown once, revoked."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from tenants.api.serializers import KeyInput
from tenants.domain import keys, queries
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.refusals import Invalid
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage

# Days a key may live, as the form offers them; empty: until it is revoked.
LIFETIMES = (("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked"))
SCOPES = {
    Permission.READ: "look at everything",
    Permission.UPLOAD: "send images",
    Permission.LABEL: "annotate",
    Permission.EDIT: "change projects and label books",
    Permission.TRAIN: "freeze snapshots, train",
    Permission.DEPLOY: "decide which model answers",
    Permission.PREDICT: "have images inspected",
    Permission.ADMIN: "members, keys, audit log",
}
A_PAGE = 50


class KeysPage(TenantPage):
    needs: ClassVar = {"GET": Permission.ADMIN, "POST": Permission.ADMIN}
    template = "tenants/keys.html"
    section = "keys"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        rows = queries.keys().select_related("member__user")
        revoked = request.GET.get("revoked") == "1"
        page = page_of_rows(rows.filter(revoked_at__isnull=not revoked), cursor=request.GET.get("cursor"), limit=A_PAGE)
        return {
            "page": page,
            "revoked": revoked,
            "scopes": _offered(request.POST.getlist("scopes")),
            "lifetimes": LIFETIMES,
            "now": timezone.now(),
        }

    def act(self, request: HttpRequest) -> HttpResponse:
        """Makes a key. Its secret stands in this answer only, so it is an answer, not a redirect."""
        days = request.POST.get("days", "")
        if days not in dict(LIFETIMES):
            raise Invalid("days", "A key lives 30, 90 or 365 days, or until it is revoked.")
        expires_at = timezone.now() + timedelta(days=int(days)) if days else None
        asked = {"name": request.POST.get("name", ""), "scopes": request.POST.getlist("scopes")}
        given = form_values(KeyInput, asked)
        made, token = keys.create_key(
            member=queries.own_seat(by=self.seat.principal),
            name=given["name"],
            by=self.seat.principal,
            scopes=given["scopes"],
            expires_at=expires_at,
        )
        told = self.read(request) | {"scopes": _offered([]), "made": made, "secret": token.text}
        return self.rendered(request, told)


def _offered(chosen: list[str]) -> list[tuple[str, str, bool]]:
    """Each scope with its words, and whether the form sent it: a refused form must not come back with none chosen."""
    return [(scope.value, words, scope.value in chosen) for scope, words in SCOPES.items()]


class KeyPage(TenantPage):
    """Revokes a key."""

    needs: ClassVar = {"POST": Permission.ADMIN}

    def act(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        keys.revoke_key(key_id=key_id, by=self.seat.principal)
        messages.success(request, "The key is revoked; it stopped working at once.")
        return redirect(self.address("keys"))
