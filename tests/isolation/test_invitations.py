"""The one door without a key: an invitation's token leads to its own tenant's seat, and tells nothing of others."""

import pytest

from tenants.domain.invitations import MAX_FAILURES, invite
from tenants.models import Invitation, Role
from tenants.refusals import Refusal
from tenants.scope import tenant_scope
from tenants.secrets import new_token
from tests.cast import PASSWORD
from tests.isolation.guards import Guards
from tests.isolation.observing import Answer, ask
from tests.isolation.world import World, all_rows, state_of

ADDRESS = "/api/v1/invitations/accept"


def accept(world: World, token: str, *, password: str = PASSWORD) -> Answer:
    return ask(world.cast.anonymous, "POST", ADDRESS, {"token": token, "name": "Guest", "password": password})


def test_a_token_opens_its_own_tenant_to_whoever_holds_it(world: World) -> None:
    answer = accept(world, world.tokens[world.acme.tenant])
    assert answer.status == 201
    assert str(world.acme.tenant) in answer.text


def test_a_known_prefix_with_a_wrong_secret_is_an_unknown_token(world: World) -> None:
    before = state_of(world.acme.tenant)
    unknown = new_token("inv").text
    prefix = world.tokens[world.acme.tenant].split("_")[1]
    secret = world.tokens[world.bolt.tenant].split("_")[2]
    guessed, missing = accept(world, f"inv_{prefix}_{secret}"), accept(world, unknown)
    assert (guessed.status, guessed.body) == (400, missing.body)
    assert guessed.headers == missing.headers
    assert state_of(world.acme.tenant) == before


def test_a_key_is_no_invitation_and_an_invitation_no_key(world: World) -> None:
    key = world.cast.alice.seat.token.text
    assert accept(world, key).body == accept(world, new_token("inv").text).body
    api = world.cast.anonymous
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {world.tokens[world.acme.tenant]}")
    assert api.get("/api/v1/me").status_code == 401


def test_a_person_with_a_seat_elsewhere_gets_one_of_their_own(guarded_world: World, guards: Guards) -> None:
    """Alice, owner at Acme, is invited to Bolt as a viewer: a second seat, and the first stays what it is."""
    world = guarded_world
    with tenant_scope(world.bolt.tenant):
        _, token = invite(email="alice@acme.example", role=Role.VIEWER, by=world.cast.charlie.principal)
    before = state_of(world.acme.tenant)
    answer = accept(world, token.text)
    if guards is Guards.NONE:
        # Her seat at Acme would be taken for one at Bolt.
        assert answer.status == 500 or state_of(world.acme.tenant) != before
        return
    assert answer.status == 201, answer.text
    assert state_of(world.acme.tenant) == before
    roles = {str(row["role"]) for row in all_rows("tenants_member", world.bolt.tenant)}
    assert roles == {"OWNER", "LABELER", "VIEWER"}


@pytest.mark.parametrize("password", ["not the password", "short"])
def test_an_account_elsewhere_is_told_only_to_who_holds_an_invitation_for_it(world: World, password: str) -> None:
    """Acme's invitation to a person with an account: a wrong password says so, makes nothing, and is counted."""
    with tenant_scope(world.acme.tenant):
        invitation, token = invite(email="charlie@bolt.example", role=Role.OWNER, by=world.cast.alice.principal)
    before = all_rows("tenants_member", world.acme.tenant), state_of(world.bolt.tenant)
    answer = accept(world, token.text, password=password)
    assert answer.status == 400
    assert b"wrong_password" in answer.body
    assert (all_rows("tenants_member", world.acme.tenant), state_of(world.bolt.tenant)) == before
    for _ in range(MAX_FAILURES - 1):
        assert b"wrong_password" in accept(world, token.text, password=password).body
    # Used up: not even the right one opens it, so it is no way to guess.
    assert b"invitation_unusable" in accept(world, token.text).body
    with tenant_scope(world.acme.tenant):
        assert Invitation.objects.get(id=invitation.id).failures == MAX_FAILURES


def test_only_an_owner_of_the_same_tenant_offers_an_owners_seat(world: World) -> None:
    with tenant_scope(world.acme.tenant), pytest.raises(Refusal, match="Only an owner"):
        invite(email="x@y.example", role=Role.OWNER, by=world.cast.bob.principal)
