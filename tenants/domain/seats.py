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


def tenant_of(*, user_id: uuid.UUID, slug: str) -> uuid.UUID:
    """The tenant of a page's address. Raises NotFound where there is none, or the user has no seat in it."""
    tenant_id = tenant_of_seat(user_id=user_id, slug=slug)
    if tenant_id is None:
        raise NotFound
    return tenant_id


def seat_here(*, user_id: uuid.UUID) -> SignedIn:
    """The user's seat in the tenant of the open scope. Raises NotFound where there is none."""
    member = Member.objects.select_related("user").filter(user_id=user_id, removed_at=None).first()
    if member is None:
        raise NotFound
    return _signed_in(Tenant.objects.get(id=member.tenant_id), member)


def seat_of(*, user_id: uuid.UUID, slug: str) -> SignedIn:
    """Both together, in a scope of its own. Raises NotFound."""
    with tenant_scope(tenant_of(user_id=user_id, slug=slug)):
        return seat_here(user_id=user_id)


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
