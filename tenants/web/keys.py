"""API keys: made, shown once, revoked."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from tenants.domain import keys, queries
from tenants.permissions import Permission
from tenants.refusals import Invalid
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
MOST_SHOWN = 200


class KeysPage(TenantPage):
    needs: ClassVar = {"GET": Permission.ADMIN, "POST": Permission.ADMIN}
    template = "tenants/keys.html"
    section = "keys"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        shown = queries.keys().select_related("member__user").order_by("-id")[:MOST_SHOWN]
        scopes = [(scope.value, words) for scope, words in SCOPES.items()]
        return {"keys": list(shown), "scopes": scopes, "lifetimes": LIFETIMES, "now": timezone.now()}

    def act(self, request: HttpRequest) -> HttpResponse:
        """Makes a key. Its secret stands in this answer only, so it is an answer, not a redirect."""
        days = request.POST.get("days", "")
        if days not in dict(LIFETIMES):
            raise Invalid("days", "A key lives 30, 90 or 365 days, or until it is revoked.")
        expires_at = timezone.now() + timedelta(days=int(days)) if days else None
        name = request.POST.get("name", "").strip()
        if not 1 <= len(name) <= 100:
            raise Invalid("name", "A key has a name of 1 to 100 characters, such as the machine that uses it.")
        made, token = keys.create_key(
            member=queries.own_seat(by=self.seat.principal),
            name=name,
            by=self.seat.principal,
            scopes=request.POST.getlist("scopes"),
            expires_at=expires_at,
        )
        return self.rendered(request, self.read(request) | {"made": made, "secret": token.text})


class KeyPage(TenantPage):
    """Revokes a key."""

    needs: ClassVar = {"POST": Permission.ADMIN}

    def act(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        keys.revoke_key(key_id=key_id, by=self.seat.principal)
        messages.success(request, "The key is revoked; it stopped working at once.")
        return redirect(self.address("keys"))
