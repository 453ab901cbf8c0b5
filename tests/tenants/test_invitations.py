"""Invitations: made, accepted once, refused."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from tenants.domain.invitations import (
    MAX_FAILURES,
    HasSeat,
    InvitationUnusable,
    Seat,
    WrongPassword,
    accept_invitation,
    invite,
    revoke_invitation,
)
from tenants.domain.keys import authenticate, revoke_key
from tenants.domain.members import remove_member
from tenants.domain.quotas import QuotaExceeded
from tenants.domain.sign_in import MAX_FAILURES as RESTS_AFTER
from tenants.domain.sign_in import WrongCredentials, sign_in
from tenants.ids import uuid7
from tenants.models import ApiKey, AuditEvent, Invitation, Member, Quota, User
from tenants.permissions import Permission
from tenants.refusals import Invalid, NotFound
from tenants.scope import tenant_scope
from tests.cast import PASSWORD, Cast, Person
from tests.tenants.rolled_back import rolled_back
from tests.tenants.threads import together


def offer(host: Person, email: str = "dora@acme.example", role: str = "ENGINEER") -> tuple[uuid.UUID, str]:
    with tenant_scope(host.tenant.id):
        invitation, token = invite(email=email, role=role, by=host.principal)
    return invitation.id, token.text


def accept(text: str, **changes: str) -> Seat:
    return accept_invitation(**({"text": text, "name": "Dora", "password": PASSWORD} | changes))


def state(host: Person) -> tuple[int, int, int, int]:
    """What an acceptance would change: (seats, seats counted, keys, users)."""
    with tenant_scope(host.tenant.id):
        return (
            Member.objects.filter(removed_at=None).count(),
            Quota.objects.get().members_used,
            ApiKey.objects.count(),
            User.objects.count(),
        )


def test_accepting_gives_a_seat_and_its_first_key(cast: Cast) -> None:
    before = state(cast.alice)
    invitation_id, text = offer(cast.alice)
    seat = accept(text)

    assert (seat.tenant.id, seat.member.role, seat.user.email) == (
        cast.alice.tenant.id,
        "ENGINEER",
        "dora@acme.example",
    )
    assert seat.user.check_password(PASSWORD)
    assert authenticate(text=seat.token.text) is not None
    assert state(cast.alice) == tuple(count + 1 for count in before)
    with tenant_scope(cast.alice.tenant.id):
        assert Invitation.objects.get(id=invitation_id).accepted_at is not None
        actions = set(AuditEvent.objects.values_list("action", "target_id"))
    assert {("invitation.created", invitation_id), ("member.joined", seat.member.id)} <= actions


def test_over_http_the_secret_is_shown_once(cast: Cast) -> None:
    _, text = offer(cast.alice)
    given = {"token": text, "name": "Dora", "password": PASSWORD}
    answer = cast.anonymous.post("/api/v1/invitations/accept", given, format="json")

    assert answer.status_code == 201
    body = answer.json()
    assert body["tenant"]["name"] == "Acme Casings"
    assert body["member"] | {"id": "", "created_at": ""} == {
        "id": "",
        "email": "dora@acme.example",
        "name": "Dora",
        "role": "ENGINEER",
        "created_at": "",
    }
    assert body["api_key"]["secret"].startswith(f"myr_{body['api_key']['prefix']}_")
    assert authenticate(text=body["api_key"]["secret"]) is not None
    again = cast.anonymous.post("/api/v1/invitations/accept", given, format="json")
    assert (again.status_code, again.json()["code"]) == (400, "invitation_unusable")


def test_whose_answer_was_lost_asks_again(cast: Cast) -> None:
    """While no key of the seat was used: a fresh one, and the one before opens nothing any more."""
    _, text = offer(cast.alice)
    lost, before = accept(text), state(cast.alice)
    seats = [accept(text), accept(text)]

    assert {seat.member.id for seat in seats} == {lost.member.id}
    assert state(cast.alice) == (before[0], before[1], before[2] + 2, before[3])
    assert [authenticate(text=seat.token.text) is not None for seat in (lost, *seats)] == [False, False, True]
    with tenant_scope(cast.alice.tenant.id):
        revoked = AuditEvent.objects.filter(action="key.revoked", detail__reason="invitation accepted again")
        assert list(revoked.order_by("id").values_list("target_id", flat=True)) == [lost.key.id, seats[0].key.id]
        assert AuditEvent.objects.filter(action="member.joined", target_id=lost.member.id).count() == 1
    with pytest.raises(InvitationUnusable):
        accept(text)  # for now one was used


def test_asking_again_takes_the_password_of_who_took_it(cast: Cast) -> None:
    _, text = offer(cast.alice)
    seat = accept(text)
    for _ in range(MAX_FAILURES - 1):
        with pytest.raises(WrongPassword):
            accept(text, password="another good password")
    assert accept(text).member.id == seat.member.id
    with pytest.raises(WrongPassword):
        accept(text, password="another good password")
    with pytest.raises(InvitationUnusable):
        accept(text)


def test_asking_again_brings_nothing_back_that_was_taken(cast: Cast) -> None:
    """Not a revoked key, not a removed seat, not past the invitation's time, and not another invitation's key."""
    revoked, removed, expired = (offer(cast.alice, email=f"{name}@acme.example") for name in ("eve", "finn", "gus"))
    seats = [accept(text) for _, text in (revoked, removed, expired)]
    with tenant_scope(cast.alice.tenant.id):
        revoke_key(key_id=seats[0].key.id, by=cast.alice.principal)
        remove_member(member_id=seats[1].member.id, by=cast.alice.principal)
        Invitation.objects.filter(id=expired[0]).update(expires_at=timezone.now())
    again = accept(offer(cast.alice, email="finn@acme.example", role="VIEWER")[1])
    before = state(cast.alice)

    for _, text in (revoked, removed, expired):
        with pytest.raises(InvitationUnusable):
            accept(text)
    assert state(cast.alice) == before
    assert authenticate(text=again.token.text) is not None


def unusable(cast: Cast, case: str) -> str:
    invitation_id, text = offer(cast.alice, email=f"{case.replace(' ', '-')}@acme.example")
    kind, prefix, secret = text.split("_")
    with tenant_scope(cast.alice.tenant.id):
        mine = Invitation.objects.filter(id=invitation_id)
        if case == "expired":
            mine.update(expires_at=timezone.now())
        elif case == "revoked":
            revoke_invitation(invitation_id=invitation_id, by=cast.alice.principal)
    if case == "used":
        assert authenticate(text=accept(text).token.text)
    return {
        "wrong secret": f"{kind}_{prefix}_{secret[::-1]}",
        "unknown": f"{kind}_{'0' * 12}_{secret}",
        "a key": cast.alice.seat.token.text,
        "nonsense": "nonsense",
        "empty": "",
    }.get(case, text)


UNUSABLE = ["expired", "revoked", "used", "wrong secret", "unknown", "a key", "nonsense", "empty"]


def test_an_unusable_invitation_changes_nothing(cast: Cast) -> None:
    for case in UNUSABLE:
        text = unusable(cast, case)
        before = state(cast.alice)

        with pytest.raises(InvitationUnusable):
            accept(text)
        assert state(cast.alice) == before, case


def test_a_weak_password_is_refused_and_the_invitation_stays_open(cast: Cast) -> None:
    _, text = offer(cast.alice)
    before = state(cast.alice)

    for password in ("short", "password1234", "123456789012", "dora@acme.example", "DoraDoraDora", "Dora Doradora"):
        with pytest.raises(Invalid) as refusal:
            accept(text, name="Dora Doradora", password=password)
        assert refusal.value.extra["errors"][0]["field"] == "password", password
        assert state(cast.alice) == before
    assert accept(text).user.email == "dora@acme.example"


def test_an_existing_account_needs_its_own_password(cast: Cast) -> None:
    """Charlie of Bolt is invited to Acme: one account, two seats."""
    _, text = offer(cast.alice, email="Charlie@Bolt.example")
    before = state(cast.alice)

    with pytest.raises(WrongPassword):
        accept(text, password="another long password")
    assert state(cast.alice) == before
    seat = accept(text, name="Someone else")

    assert seat.user.id == cast.charlie.seat.user.id
    assert User.objects.get(id=seat.user.id).name == "Charlie", "an invitation does not rename an account"
    assert seat.tenant.id == cast.alice.tenant.id
    assert authenticate(text=cast.charlie.seat.token.text) is not None


def test_five_wrong_passwords_use_an_invitation_up(cast: Cast) -> None:
    """It must not serve to guess the password of an account."""
    invitation_id, text = offer(cast.alice, email="charlie@bolt.example")
    before = state(cast.alice)
    for _ in range(5):
        with pytest.raises(WrongPassword):
            accept(text, password="another long password")

    with pytest.raises(InvitationUnusable):
        accept(text)
    assert state(cast.alice) == before
    with tenant_scope(cast.alice.tenant.id):
        assert Invitation.objects.get(id=invitation_id).revoked_at is not None
        assert AuditEvent.objects.filter(action="invitation.exhausted").count() == 1


def test_four_wrong_passwords_do_not(cast: Cast) -> None:
    _, text = offer(cast.alice, email="charlie@bolt.example")
    for _ in range(4):
        with pytest.raises(WrongPassword):
            accept(text, password="another long password")
    with pytest.raises(Invalid):
        accept(offer(cast.alice)[1], password="weak")

    assert accept(text).member.role == "ENGINEER"


def test_invitations_guess_no_faster_than_signing_in(cast: Cast) -> None:
    """Each counts for the account too, which then rests: the right password opens it on no way."""
    for _ in range(RESTS_AFTER // 2):
        _, text = offer(cast.alice, email="charlie@bolt.example")
        for _ in range(2):
            with pytest.raises(WrongPassword):
                accept(text, password="another long password")

    _, text = offer(cast.alice, email="charlie@bolt.example")
    with pytest.raises(WrongPassword):
        accept(text)
    with pytest.raises(WrongCredentials):
        sign_in(email="charlie@bolt.example", password=PASSWORD)
    User.objects.filter(email="charlie@bolt.example").update(locked_until=timezone.now())
    assert accept(text).member.role == "ENGINEER"


def test_wrong_passwords_at_the_same_moment_are_all_counted(cast: Cast) -> None:
    _, text = offer(cast.alice, email="charlie@bolt.example")
    results = together([partial(accept, text, password="another long password")] * 8)

    assert set(outcome(results)) <= {"WrongPassword", "InvitationUnusable"}
    with pytest.raises(InvitationUnusable):
        accept(text)


def test_a_closed_account_takes_no_seat(cast: Cast) -> None:
    _, text = offer(cast.alice, email="charlie@bolt.example")
    User.objects.filter(id=cast.charlie.seat.user.id).update(is_active=False)

    with pytest.raises(WrongPassword):
        accept(text)


def test_an_invitation_does_not_change_a_seat(cast: Cast) -> None:
    """Or an owner who accepts one as viewer would leave the tenant without an owner."""
    _, text = offer(cast.charlie, email="charlie@bolt.example", role="VIEWER")
    before = state(cast.charlie)

    with pytest.raises(HasSeat):
        accept(text)
    assert state(cast.charlie) == before
    with tenant_scope(cast.charlie.tenant.id):
        assert Member.objects.get(id=cast.charlie.seat.member.id).role == "OWNER"


def test_a_removed_seat_is_taken_again(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        remove_member(member_id=cast.bob.seat.member.id, by=cast.alice.principal)
    before = state(cast.alice)
    _, text = offer(cast.alice, email="bob@acme.example", role="VIEWER")
    seat = accept(text)

    assert seat.member.id == cast.bob.seat.member.id
    assert seat.member.role == "VIEWER"
    assert state(cast.alice)[:2] == (before[0] + 1, before[1] + 1)


def test_a_full_tenant_takes_nobody(cast: Cast) -> None:
    _, text = offer(cast.alice)
    with tenant_scope(cast.alice.tenant.id):
        Quota.objects.update(members_limit=Quota.objects.get().members_used)
    before = state(cast.alice)

    with pytest.raises(QuotaExceeded):
        accept(text)
    assert state(cast.alice) == before


def outcome(results: list[Any]) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def test_one_invitation_is_accepted_once_by_eight_at_the_same_moment(cast: Cast) -> None:
    """One seat, and one key that opens it: the last."""
    _, text = offer(cast.alice)
    seats, users = state(cast.alice)[0], state(cast.alice)[3]
    results = together([partial(accept, text)] * 8)

    assert outcome(results) == ["Seat"] * 8
    good = [seat for seat in results if isinstance(seat, Seat) and authenticate(text=seat.token.text)]
    assert len(good) == 1
    assert (state(cast.alice)[0], state(cast.alice)[3]) == (seats + 1, users + 1)


def test_two_invitations_of_one_newcomer_give_one_seat(cast: Cast) -> None:
    before = state(cast.alice)
    calls: list[Callable[[], Seat]] = [partial(accept, offer(cast.alice)[1]) for _ in range(4)]
    results = together(calls)

    assert outcome(results) == ["HasSeat"] * 3 + ["Seat"]
    assert state(cast.alice) == tuple(count + 1 for count in before)


def test_two_invitations_of_one_account_give_one_seat(cast: Cast) -> None:
    calls = [partial(accept, offer(cast.alice, email="charlie@bolt.example")[1]) for _ in range(4)]

    assert outcome(together(calls)) == ["HasSeat"] * 3 + ["Seat"]


def test_two_tenants_invite_one_newcomer_at_the_same_moment(cast: Cast) -> None:
    calls = [partial(accept, offer(host)[1]) for host in (cast.alice, cast.charlie)]
    results = together(calls)

    assert outcome(results) == ["Seat", "Seat"]
    assert len({seat.user.id for seat in results if isinstance(seat, Seat)}) == 1


def test_only_an_owner_invites_an_owner(standing_cast: Cast) -> None:
    admin = replace(standing_cast.alice.principal, role="ADMIN")
    with rolled_back(standing_cast.alice.tenant.id), pytest.raises(Invalid):
        invite(email="x@acme.example", role="OWNER", by=admin)
    with rolled_back(standing_cast.alice.tenant.id):
        invitation, _ = invite(email="x@acme.example", role="OWNER", by=standing_cast.alice.principal)
        assert invitation.role == "OWNER"


@pytest.mark.parametrize(
    "email", ["", "dora", "dora@", "@acme.example", "dora@acme example", f"{'d' * 250}@acme.example"]
)
def test_only_an_address_is_invited(email: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id), pytest.raises(Invalid) as refusal:
        invite(email=email, role="VIEWER", by=None)
    assert refusal.value.extra["errors"][0]["field"] == "email"

    answer = standing_cast.alice.api.post("/api/v1/invitations", {"email": email, "role": "VIEWER"}, format="json")
    assert answer.status_code == 400


def test_a_narrow_key_offers_no_wider_role(standing_cast: Cast) -> None:
    narrow = replace(standing_cast.alice.principal, permissions=frozenset({Permission.ADMIN, Permission.READ}))
    with rolled_back(standing_cast.alice.tenant.id):
        for role in ("OWNER", "ADMIN", "ENGINEER", "LABELER"):
            with pytest.raises(Invalid):
                invite(email="x@acme.example", role=role, by=narrow)
        assert invite(email="x@acme.example", role="VIEWER", by=narrow)[0].role == "VIEWER"


def test_addresses_are_kept_in_lower_case(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        invitation, _ = invite(email=" Dora@Acme.Example ", role="VIEWER", by=None)
        assert invitation.email == "dora@acme.example"


def test_an_invitation_is_revoked_once(cast: Cast) -> None:
    invitation_id, _ = offer(cast.alice)
    with tenant_scope(cast.alice.tenant.id):
        revoke_invitation(invitation_id=invitation_id, by=cast.alice.principal)
        for missing in (invitation_id, uuid7()):
            with pytest.raises(NotFound):
                revoke_invitation(invitation_id=missing, by=cast.alice.principal)
    with tenant_scope(cast.charlie.tenant.id), pytest.raises(NotFound):
        revoke_invitation(invitation_id=invitation_id, by=cast.charlie.principal)


def test_a_list_shows_no_token(cast: Cast) -> None:
    answer = cast.alice.api.post("/api/v1/invitations", {"email": "x@acme.example", "role": "VIEWER"}, format="json")
    listed = cast.alice.api.get("/api/v1/invitations").json()["results"]

    assert answer.json()["token"].startswith("inv_")
    assert listed[0]["id"] == answer.json()["id"]
    assert not any(row.keys() & {"token", "token_hash", "prefix"} for row in listed)
