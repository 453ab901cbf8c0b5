"""Seats: changing a role, removing a seat."""

import uuid

from django.db.models import Q
from django.utils import timezone

from tenants import audit
from tenants.domain.quotas import lock_quota, release
from tenants.domain.roles import require_offerable
from tenants.models import ApiKey, Member, Role
from tenants.permissions import Principal
from tenants.refusals import Expectation, Invalid, NotFound, Refusal


class LastOwner(Refusal):
    code = "last_owner"

    def __init__(self) -> None:
        super().__init__("A tenant keeps at least one owner.", hint="Make another member an owner first.")


def change_role(*, member_id: uuid.UUID, role: str, by: Principal, expect: Expectation | None = None) -> Member:
    """Raises NotFound, LastOwner, Invalid when an owner's seat is changed by someone who is not an owner, or what
    `expect` raises of the seat.
    """
    member, owners = _lock(member_id, by=by)
    if expect is not None:
        expect(member)
    require_offerable(role, by=by)
    if role != Role.OWNER and owners == [member]:
        raise LastOwner
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    audit.record("member.role_changed", by=by, target=member_id, before=before, after=role)
    return member


def remove_member(*, member_id: uuid.UUID, by: Principal, expect: Expectation | None = None) -> None:
    """Removes a seat and revokes its keys, for good. Raises NotFound, LastOwner, Invalid, or what `expect` raises."""
    lock_quota()  # before the seats, as who accepts an invitation does
    member, owners = _lock(member_id, by=by)
    if expect is not None:
        expect(member)
    if owners == [member]:
        raise LastOwner
    member.removed_at = timezone.now()
    member.save(update_fields=["removed_at"])
    # Or they would come to life again with the seat, should it be taken anew.
    ApiKey.objects.filter(member=member, revoked_at=None).update(revoked_at=timezone.now())
    release(members=1)
    audit.record("member.removed", by=by, target=member_id)


def _lock(member_id: uuid.UUID, *, by: Principal) -> tuple[Member, list[Member]]:
    """The seat and the owners' seats, locked in one order: two owners cannot remove each other at the same moment."""
    seats = Member.objects.select_for_update().filter(Q(role=Role.OWNER) | Q(id=member_id), removed_at=None)
    locked = list(seats.order_by("id"))
    member = next((seat for seat in locked if seat.id == member_id), None)
    if member is None:
        raise NotFound
    if member.role == Role.OWNER and by.role != Role.OWNER:
        raise Invalid("role", "Only an owner changes an owner's seat.", hint="Ask an owner.")
    return member, [seat for seat in locked if seat.role == Role.OWNER]
