"""The seats of who signed in: what a page may do comes from here, with each request anew."""

import uuid
from dataclasses import dataclass

from tenants.domain.lookups import tenant_of_seat, tenants_of_user
from tenants.models import Member, Tenant
from tenants.permissions import ROLE_PERMISSIONS, Principal
from tenants.refusals import NotFound
from tenants.scope import tenant_scope


@dataclass(frozen=True)
class SignedIn:
    """A person in one of their tenants. `principal` acts as the member, without a key."""

    tenant: Tenant
    member: Member
    principal: Principal


def seat_of(*, user_id: uuid.UUID, slug: str) -> SignedIn:
    """Raises NotFound where there is no such tenant, or the user has no seat in it. Opens the tenant's scope."""
    tenant_id = tenant_of_seat(user_id=user_id, slug=slug)
    if tenant_id is None:
        raise NotFound
    with tenant_scope(tenant_id):
        member = Member.objects.select_related("user").filter(user_id=user_id, removed_at=None).first()
        if member is None:  # removed since the look-up
            raise NotFound
        return _signed_in(Tenant.objects.get(id=tenant_id), member)


def seats_of(*, user_id: uuid.UUID) -> list[SignedIn]:
    """Every seat of a user, by the tenants' names. Opens the scope of each in turn: a person has a handful."""
    found = []
    for tenant_id in tenants_of_user(user_id=user_id):
        with tenant_scope(tenant_id):
            member = Member.objects.select_related("user").filter(user_id=user_id, removed_at=None).first()
            if member is not None:
                found.append(_signed_in(Tenant.objects.get(id=tenant_id), member))
    return sorted(found, key=lambda seat: seat.tenant.name.casefold())


def _signed_in(tenant: Tenant, member: Member) -> SignedIn:
    principal = Principal(
        tenant_id=tenant.id, member_id=member.id, role=member.role, permissions=ROLE_PERMISSIONS[member.role]
    )
    return SignedIn(tenant=tenant, member=member, principal=principal)
