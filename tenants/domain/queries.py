"""Reads of the current tenant."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from tenants.models import ApiKey, AuditEvent, Invitation, Member, Quota, Tenant
from tenants.permissions import Principal
from tenants.refusals import Invalid, NotFound

# Nouns that actions of the audit log begin with.
AUDITED = (
    *("project", "class", "image", "images", "import", "imports", "snapshot", "run", "model"),
    *("member", "invitation", "key", "job", "tenant"),
)


@dataclass(frozen=True)
class Actor:
    """A person, and the name of the key that acted for them; empty when they acted themselves."""

    name: str
    key: str = ""


@dataclass(frozen=True)
class Me:
    tenant: Tenant
    member: Member
    key: ApiKey
    usage: Quota


def me(*, by: Principal) -> Me:
    """Who asks, in which tenant, and how much of its quota is used."""
    if by.key_id is None:
        raise ValueError("only a key asks who it is")
    key = ApiKey.objects.select_related("member__user").get(id=by.key_id)
    return Me(tenant=Tenant.objects.get(id=by.tenant_id), member=key.member, key=key, usage=Quota.objects.get())


def members() -> QuerySet[Member]:
    return Member.objects.filter(removed_at=None).select_related("user")


def member_named(member_id: uuid.UUID) -> Member:
    """Raises NotFound when there is no such seat, it was removed, or it is another tenant's."""
    found = members().filter(id=member_id).first()
    if found is None:
        raise NotFound
    return found


def invitations() -> QuerySet[Invitation]:
    return Invitation.objects.all()


def open_invitations() -> QuerySet[Invitation]:
    """Those that can still be accepted, newest first."""
    waiting = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())
    return waiting.order_by("-id")


def keys() -> QuerySet[ApiKey]:
    return ApiKey.objects.all()


def audit_events(*, about: str = "") -> QuerySet[AuditEvent]:
    """Lines of the audit log; `about`, one of AUDITED, narrows them to what was done to things of that kind."""
    lines = AuditEvent.objects.all()
    if not about:
        return lines
    if about not in AUDITED:
        raise Invalid("about", f"`about` must be one of {', '.join(AUDITED)}.")
    return lines.filter(action__startswith=f"{about}.")


def actors(lines: Sequence[AuditEvent]) -> dict[uuid.UUID, Actor]:
    """Who did it, by the lines' `actor_id`: two queries however many lines."""
    members = {line.actor_id for line in lines if line.actor_id and line.actor_kind == "member"}
    keys = {line.actor_id for line in lines if line.actor_id and line.actor_kind == "key"}
    seats = Member.objects.filter(id__in=members).select_related("user")
    used = ApiKey.objects.filter(id__in=keys).select_related("member__user")
    named = {seat.id: Actor(seat.user.name) for seat in seats}
    return named | {key.id: Actor(key.member.user.name, key.name) for key in used}


def own_seat(*, by: Principal) -> Member:
    return Member.objects.get(id=by.member_id)
