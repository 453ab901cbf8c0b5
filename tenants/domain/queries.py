"""Reads of the current tenant."""

import uuid
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from tenants.models import ApiKey, AuditEvent, Invitation, Member, Quota, Tenant
from tenants.permissions import Principal
from tenants.refusals import NotFound


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


def audit_events() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.all()


def own_seat(*, by: Principal) -> Member:
    return Member.objects.get(id=by.member_id)
