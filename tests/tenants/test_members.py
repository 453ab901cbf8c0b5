"""Seats: roles changed, seats removed, and always an owner left."""

import uuid
from dataclasses import replace
from functools import partial

import pytest

from tenants.domain.invitations import accept_invitation, invite
from tenants.domain.keys import authenticate
from tenants.domain.members import LastOwner, change_role, remove_member
from tenants.ids import uuid7
from tenants.models import AuditEvent, Member, Quota
from tenants.permissions import Permission, Principal
from tenants.refusals import Invalid, NotFound
from tenants.scope import tenant_scope
from tests.cast import PASSWORD, Cast, Person
from tests.tenants.rolled_back import rolled_back
from tests.tenants.threads import together


def joined(host: Person, name: str, role: str) -> Person:
    with tenant_scope(host.tenant.id):
        _, token = invite(email=f"{name.lower()}@acme.example", role=role, by=host.principal)
    return Person(accept_invitation(text=token.text, name=name, password=PASSWORD))


def in_scope(tenant_id: uuid.UUID, verb: partial[object]) -> object:
    with tenant_scope(tenant_id):
        return verb()


def owners(tenant_id: uuid.UUID) -> int:
    with tenant_scope(tenant_id):
        return Member.objects.filter(role="OWNER", removed_at=None).count()


def test_a_role_is_changed_and_told_in_the_log(cast: Cast) -> None:
    bob = cast.bob.seat.member.id
    answer = cast.alice.api.patch(f"/api/v1/members/{bob}", {"role": "ENGINEER"}, format="json")

    assert (answer.status_code, answer.json()["role"]) == (200, "ENGINEER")
    with tenant_scope(cast.alice.tenant.id):
        line = AuditEvent.objects.get(action="member.role_changed")
    assert (line.target_id, line.detail) == (bob, {"before": "LABELER", "after": "ENGINEER"})
    assert (line.actor_kind, line.actor_id) == ("key", cast.alice.seat.key.id)


def test_a_removed_seats_keys_stop_at_once(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        before = Quota.objects.get().members_used
    answer = cast.alice.api.delete(f"/api/v1/members/{cast.bob.seat.member.id}")

    assert answer.status_code == 204
    assert authenticate(text=cast.bob.seat.token.text) is None
    listed = cast.alice.api.get("/api/v1/members").json()["results"]
    assert str(cast.bob.seat.member.id) not in {member["id"] for member in listed}
    with tenant_scope(cast.alice.tenant.id):
        assert Quota.objects.get().members_used == before - 1
    again = cast.alice.api.delete(f"/api/v1/members/{cast.bob.seat.member.id}")
    assert again.status_code == 404


def test_a_removed_seats_keys_stay_dead_when_it_is_taken_again(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        remove_member(member_id=cast.bob.seat.member.id, by=cast.alice.principal)
    back = joined(cast.alice, "Bob", "LABELER")

    assert back.seat.member.id == cast.bob.seat.member.id
    assert authenticate(text=cast.bob.seat.token.text) is None
    assert authenticate(text=back.seat.token.text) is not None


def test_a_narrow_key_gives_no_wider_role(standing_cast: Cast) -> None:
    narrow = replace(standing_cast.alice.principal, permissions=frozenset({Permission.ADMIN, Permission.READ}))
    with rolled_back(standing_cast.alice.tenant.id):
        for role in ("OWNER", "ADMIN", "ENGINEER", "LABELER"):
            with pytest.raises(Invalid):
                change_role(member_id=standing_cast.vera.seat.member.id, role=role, by=narrow)
        assert change_role(member_id=standing_cast.bob.seat.member.id, role="VIEWER", by=narrow).role == "VIEWER"


def test_the_last_owner_stays(standing_cast: Cast) -> None:
    charlie = standing_cast.charlie
    mine = charlie.seat.member.id
    for verb in (
        partial(remove_member, member_id=mine, by=charlie.principal),
        partial(change_role, member_id=mine, role="VIEWER", by=charlie.principal),
    ):
        with rolled_back(charlie.tenant.id), pytest.raises(LastOwner):
            verb()
    with rolled_back(charlie.tenant.id):
        assert change_role(member_id=mine, role="OWNER", by=charlie.principal).role == "OWNER"


def test_of_two_owners_one_may_go(cast: Cast) -> None:
    rita = cast.revoked
    with tenant_scope(cast.alice.tenant.id):
        remove_member(member_id=rita.seat.member.id, by=cast.alice.principal)
        with pytest.raises(LastOwner):
            remove_member(member_id=cast.alice.seat.member.id, by=cast.alice.principal)


def test_two_owners_cannot_remove_each_other_at_the_same_moment(cast: Cast) -> None:
    tenant, alice, rita = cast.alice.tenant.id, cast.alice, cast.revoked
    for round_ in range(3):
        calls = [
            partial(in_scope, tenant, partial(remove_member, member_id=rita.seat.member.id, by=alice.principal)),
            partial(in_scope, tenant, partial(remove_member, member_id=alice.seat.member.id, by=rita.principal)),
        ]
        results = together(calls)

        assert sorted(type(result).__name__ for result in results) == ["LastOwner", "NoneType"]
        assert owners(tenant) == 1
        with tenant_scope(tenant):
            Member.objects.filter(role="OWNER").update(removed_at=None)
            assert round_ < 3


def test_all_owners_step_down_at_the_same_moment_but_one(cast: Cast) -> None:
    tenant = cast.alice.tenant.id
    everyone = [cast.alice, cast.revoked, *(joined(cast.alice, f"Owner{n}", "OWNER") for n in range(3))]
    calls = [
        partial(in_scope, tenant, partial(change_role, member_id=who.seat.member.id, role="VIEWER", by=who.principal))
        for who in everyone
    ]
    results = together(calls)

    assert sum(isinstance(result, LastOwner) for result in results) == 1
    assert owners(tenant) == 1


def admin_of(cast: Cast) -> Principal:
    return joined(cast.alice, "Ada", "ADMIN").principal


def test_an_admin_changes_neither_owners_nor_who_is_one(cast: Cast) -> None:
    ada = admin_of(cast)
    with rolled_back(cast.alice.tenant.id):
        with pytest.raises(Invalid):
            change_role(member_id=cast.bob.seat.member.id, role="OWNER", by=ada)
        with pytest.raises(Invalid):
            change_role(member_id=cast.revoked.seat.member.id, role="VIEWER", by=ada)
        with pytest.raises(Invalid):
            remove_member(member_id=cast.revoked.seat.member.id, by=ada)
        with pytest.raises(Invalid):
            invite(email="x@acme.example", role="OWNER", by=ada)
        assert change_role(member_id=cast.bob.seat.member.id, role="ADMIN", by=ada).role == "ADMIN"


def test_a_foreign_seat_is_a_missing_one(standing_cast: Cast) -> None:
    for member_id in (standing_cast.charlie.seat.member.id, uuid7()):
        with rolled_back(standing_cast.alice.tenant.id), pytest.raises(NotFound):
            remove_member(member_id=member_id, by=standing_cast.alice.principal)
        with rolled_back(standing_cast.alice.tenant.id), pytest.raises(NotFound):
            change_role(member_id=member_id, role="VIEWER", by=standing_cast.alice.principal)


def test_a_role_that_is_none_is_refused(standing_cast: Cast) -> None:
    address = f"/api/v1/members/{standing_cast.bob.seat.member.id}"
    for role in ("KING", "owner", "", None, 1, ["VIEWER"]):
        assert standing_cast.alice.api.patch(address, {"role": role}, format="json").status_code == 400, role
    assert standing_cast.alice.api.patch(address, {}, format="json").status_code == 400
