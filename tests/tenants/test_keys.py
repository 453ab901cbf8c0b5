"""API keys: made, narrowed, checked, revoked; and the one form of every 401."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from tenants.domain.keys import LAST_USED_RESOLUTION, authenticate, create_key, revoke_key
from tenants.ids import uuid7
from tenants.models import ApiKey, AuditEvent, Member, User
from tenants.permissions import ROLE_PERMISSIONS, Permission
from tenants.refusals import Invalid, NotFound
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.tenants.rolled_back import rolled_back


def key_of(person: Person, **options: Any) -> tuple[ApiKey, str]:
    """A new key of a person's seat, and its text."""
    with tenant_scope(person.tenant.id):
        member = Member.objects.get(id=person.seat.member.id)
        key, token = create_key(member=member, name="Another", by=person.principal, **options)
    return key, token.text


def test_a_key_leads_to_its_member(cast: Cast) -> None:
    key, text = key_of(cast.bob)
    principal = authenticate(text=text)

    assert principal is not None
    assert (principal.tenant_id, principal.member_id, principal.key_id) == (
        cast.bob.tenant.id,
        cast.bob.seat.member.id,
        key.id,
    )
    assert principal.role == "LABELER"
    assert principal.permissions == ROLE_PERMISSIONS["LABELER"]


def test_scopes_narrow_and_never_widen(cast: Cast) -> None:
    _, text = key_of(cast.bob, scopes=["read"])
    principal = authenticate(text=text)
    assert principal is not None
    assert principal.permissions == {Permission.READ}

    with tenant_scope(cast.bob.tenant.id):
        ApiKey.objects.filter(id=principal.key_id).update(scopes=["read", "admin"])
    widened = authenticate(text=text)
    assert widened is not None
    assert widened.permissions == {Permission.READ}, "a scope beyond the role gives nothing"


def test_a_key_follows_its_members_role(cast: Cast) -> None:
    with tenant_scope(cast.bob.tenant.id):
        Member.objects.filter(id=cast.bob.seat.member.id).update(role="VIEWER")
    principal = authenticate(text=cast.bob.seat.token.text)

    assert principal is not None
    assert principal.permissions == {Permission.READ}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"scopes": ["read", "fly"]}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
    ],
    ids=["unknown scope", "more than the maker may", "expiry in the past"],
)
def test_a_key_that_cannot_be_made(options: dict[str, Any], field: str, standing_cast: Cast) -> None:
    with pytest.raises(Invalid) as refusal:
        key_of(standing_cast.bob, **options)

    assert refusal.value.extra["errors"][0]["field"] == field


def test_a_narrowed_key_makes_no_wider_one(cast: Cast) -> None:
    """An admin's key with the scopes admin and read may not make itself a key that trains."""
    alice = cast.alice.api
    narrow = alice.post("/api/v1/keys", {"name": "CI", "scopes": ["admin", "read"]}, format="json").json()["secret"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {narrow}")

    for scopes in ([], ["train"], ["read", "train"]):
        answer = client.post("/api/v1/keys", {"name": "Wide", "scopes": scopes}, format="json")
        assert answer.status_code == 400, scopes
        assert answer.json()["errors"][0]["field"] == "scopes"
    assert client.post("/api/v1/keys", {"name": "Same", "scopes": ["read"]}, format="json").status_code == 201


def test_a_key_made_with_a_key_ends_no_later(standing_cast: Cast) -> None:
    bob = standing_cast.bob
    end = timezone.now() + timedelta(days=1)
    with rolled_back(bob.tenant.id):
        ApiKey.objects.filter(id=bob.seat.key.id).update(expires_at=end)
        for asked, given in ((None, end), (end + timedelta(days=9), end), (end - timedelta(hours=1), None)):
            key, _ = create_key(member=bob.seat.member, name="Another", by=bob.principal, expires_at=asked)
            assert key.expires_at == (given or asked)
        ApiKey.objects.filter(id=bob.seat.key.id).update(expires_at=None)
        key, _ = create_key(member=bob.seat.member, name="Another", by=bob.principal)
        assert key.expires_at is None


def test_an_admin_does_not_revoke_an_owners_key(standing_cast: Cast) -> None:
    admin = replace(standing_cast.alice.principal, role="ADMIN")
    with rolled_back(standing_cast.alice.tenant.id):
        with pytest.raises(Invalid):
            revoke_key(key_id=standing_cast.alice.seat.key.id, by=admin)
        revoke_key(key_id=standing_cast.bob.seat.key.id, by=admin)


def refused(cast: Cast, case: str) -> str:
    """The text of a key that no longer opens anything, or never did."""
    person = cast.vera if case == "account closed" else cast.bob
    key, text = key_of(person)
    with tenant_scope(person.tenant.id):
        if case == "expired":
            ApiKey.objects.filter(id=key.id).update(expires_at=timezone.now() - timedelta(microseconds=1))
        elif case == "revoked":
            revoke_key(key_id=key.id, by=cast.alice.principal)
        elif case == "account closed":
            User.objects.filter(id=person.seat.user.id).update(is_active=False)
        elif case == "seat removed":
            Member.objects.filter(id=person.seat.member.id).update(removed_at=timezone.now())
    kind, prefix, secret = text.split("_")
    return {
        "wrong secret": f"{kind}_{prefix}_{secret[::-1]}",
        "unknown prefix": f"{kind}_{'0' * 12}_{secret}",
        "another's secret": f"{kind}_{cast.charlie.seat.token.prefix}_{secret}",
        "an invitation": f"inv_{prefix}_{secret}",
        "the prefix alone": f"{kind}_{prefix}",
        "nonsense": "nonsense",
    }.get(case, text)


CASES = ["expired", "revoked", "wrong secret", "unknown prefix", "another's secret", "an invitation"]
CASES += ["the prefix alone", "nonsense", "account closed", "seat removed"]


def test_an_unusable_key_opens_nothing(cast: Cast) -> None:
    usable = [case for case in CASES if authenticate(text=refused(cast, case)) is not None]

    assert usable == []


def test_every_401_is_the_same(cast: Cast) -> None:
    """Nothing in the answer tells an expired or revoked key from one that never was."""
    texts = [refused(cast, case) for case in CASES if case != "seat removed"]
    headers = [f"Bearer {text}" for text in texts]
    headers += [f"Basic {texts[0]}", f"Token {cast.alice.seat.token.text}", f"Bearer {cast.revoked.seat.token.text}"]
    answers = [cast.anonymous.get("/api/v1/me", HTTP_AUTHORIZATION=header) for header in headers]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="myriad"'}
    assert answers[0].json()["code"] == "not_authenticated"


def test_the_header_is_read_as_the_standard_says(standing_cast: Cast) -> None:
    text = standing_cast.vera.seat.token.text
    for header in (f"Bearer {text}", f"bearer {text}", f"BEARER  {text} "):
        assert standing_cast.anonymous.get("/api/v1/me", HTTP_AUTHORIZATION=header).status_code == 200, header
    for header in (text, f"Bearer{text}", f"Bearer {text} {text}", "Bearer", "Bearer "):
        assert standing_cast.anonymous.get("/api/v1/me", HTTP_AUTHORIZATION=header).status_code == 401, header


def test_a_key_in_the_address_or_the_body_is_not_read(standing_cast: Cast) -> None:
    text = standing_cast.alice.seat.token.text
    for query in ("api_key", "key", "token", "access_token"):
        assert standing_cast.anonymous.get(f"/api/v1/me?{query}={text}").status_code == 401
    answer = standing_cast.anonymous.post("/api/v1/projects", {"token": text, "name": "x", "kind": "DETECTION"})
    assert answer.status_code == 401


def test_last_use_is_written_once_a_minute(cast: Cast) -> None:
    text, key_id = cast.bob.seat.token.text, cast.bob.seat.key.id

    def last_used() -> Any:
        with tenant_scope(cast.bob.tenant.id):
            return ApiKey.objects.get(id=key_id).last_used_at

    assert last_used() is None
    authenticate(text=text)
    first = last_used()
    assert timezone.now() - first < timedelta(seconds=10)
    with CaptureQueriesContext(connection) as said:
        authenticate(text=text)
    assert last_used() == first
    assert not [query for query in said.captured_queries if "UPDATE" in query["sql"]]
    with tenant_scope(cast.bob.tenant.id):
        ApiKey.objects.filter(id=key_id).update(last_used_at=first - LAST_USED_RESOLUTION - timedelta(seconds=1))
    authenticate(text=text)
    assert last_used() > first


def test_the_note_of_a_use_does_not_wait_for_the_disk_and_what_follows_does(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO on")  # the tests' own server has it off
    with CaptureQueriesContext(connection) as said:
        authenticate(text=cast.bob.seat.token.text)

    statements = [query["sql"] for query in said.captured_queries]
    (note,) = [sql for sql in statements if "UPDATE" in sql]
    assert note.startswith("SET LOCAL synchronous_commit TO off;")
    with tenant_scope(cast.bob.tenant.id), connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


def test_revoking_works_at_once_and_once(cast: Cast) -> None:
    key, text = key_of(cast.bob)
    with tenant_scope(cast.bob.tenant.id):
        revoke_key(key_id=key.id, by=cast.alice.principal)
        first = ApiKey.objects.get(id=key.id).revoked_at
        revoke_key(key_id=key.id, by=cast.alice.principal)

        assert ApiKey.objects.get(id=key.id).revoked_at == first
        assert AuditEvent.objects.filter(action="key.revoked", target_id=key.id).count() == 1
    assert authenticate(text=text) is None


def test_only_ones_own_tenants_keys_are_revoked(standing_cast: Cast) -> None:
    for key_id in (standing_cast.charlie.seat.key.id, uuid7()):
        with rolled_back(standing_cast.alice.tenant.id), pytest.raises(NotFound):
            revoke_key(key_id=key_id, by=standing_cast.alice.principal)
    assert authenticate(text=standing_cast.charlie.seat.token.text) is not None


def test_the_secret_is_kept_nowhere(cast: Cast) -> None:
    answer = cast.alice.api.post("/api/v1/keys", {"name": "CI"}, format="json", HTTP_IDEMPOTENCY_KEY="ci").json()
    secret = answer["secret"].rpartition("_")[2]

    with tenant_scope(cast.alice.tenant.id), connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'tenants\\_%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{secret}%"])
            assert cursor.fetchone() == (0,), table
    listed = cast.alice.api.get("/api/v1/keys").json()["results"]
    assert answer["prefix"] in {key["prefix"] for key in listed}
    assert not any(key.keys() & {"secret", "secret_hash"} for key in listed)
