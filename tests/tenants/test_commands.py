"""`manage.py tenant`, `operator`, `database` and `storage`: what they make, say and refuse."""

import io
import json
import os
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenants.domain.invitations import accept_invitation
from tenants.models import AuditEvent, Invitation, Quota, Tenant, User
from tenants.scope import tenant_scope
from tests.cast import PASSWORD


def tenant(*arguments: str) -> str:
    said = io.StringIO()
    call_command("tenant", "create", *arguments, stdout=said)
    return said.getvalue()


def test_a_tenant_is_made_and_its_owner_invited(database: str) -> None:
    said = tenant("Gear & Söhne", "--owner", "Emil@Gears.example")
    token = next(word for word in said.split() if word.startswith("inv_"))
    seat = accept_invitation(text=token, name="Emil", password=PASSWORD)

    assert "Gear & Söhne (gear-sohne, " in said
    assert (seat.tenant.slug, seat.member.role, seat.user.email) == ("gear-sohne", "OWNER", "emil@gears.example")
    with tenant_scope(seat.tenant.id):
        assert Tenant.objects.get().name == "Gear & Söhne"
        assert Quota.objects.get().members_used == 1
        assert AuditEvent.objects.filter(action="tenant.created", actor_kind="system").count() == 1


def test_as_json_it_is_one_object(database: str) -> None:
    answer = json.loads(tenant("Gears", "--owner", "emil@gears.example", "--slug", "cogs", "--json"))

    assert answer.keys() == {"tenant", "slug", "email", "token"}
    assert (answer["slug"], answer["email"]) == ("cogs", "emil@gears.example")
    with tenant_scope(uuid.UUID(answer["tenant"])):
        assert Invitation.objects.get().role == "OWNER"


def test_a_taken_slug_is_refused_and_nothing_is_made(database: str) -> None:
    tenant("Gears", "--owner", "emil@gears.example")
    with pytest.raises(CommandError, match=r"'gears' already.*--slug"):
        tenant("GEARS", "--owner", "other@gears.example")
    tenant("GEARS", "--owner", "other@gears.example", "--slug", "gears-2")


def test_a_name_without_latin_letters_still_has_an_address(database: str) -> None:
    slugs = [json.loads(tenant(name, "--owner", "a@b.example", "--json"))["slug"] for name in ("歯車", "歯車", "...")]

    assert len(set(slugs)) == 3
    assert all(slug.startswith("tenant-") for slug in slugs)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Gears", "--owner", "nobody"], "valid email"),
        (["Gears", "--owner", "a@b.example", "--slug", "not a slug"], "slug"),
        (["Gears", "--owner", "a@b.example", "--slug", "s" * 61], "60 characters"),
        (["", "--owner", "a@b.example"], "blank"),
        (["G" * 201, "--owner", "a@b.example"], "200 characters"),
    ],
)
def test_what_cannot_be_is_refused_in_words(arguments: list[str], words: str, standing_cast: object) -> None:
    with pytest.raises(CommandError, match=words):
        tenant(*arguments)


def test_an_owner_must_be_named(database: str) -> None:
    with pytest.raises(CommandError, match="--owner"):
        tenant("Gears")


def operator(*arguments: str, password: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    said = io.StringIO()
    call_command("operator", "create", *arguments, stdout=said)
    return said.getvalue()


def test_an_operator_is_a_user_without_a_seat(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = operator("Olga@Myriad.example", "--name", "Olga", password=PASSWORD, monkeypatch=monkeypatch)
    user = User.objects.get(email="olga@myriad.example")

    assert "Olga@Myriad.example is made" in said
    assert PASSWORD not in said
    assert (user.is_operator, user.name) == (True, "Olga")
    assert user.check_password(PASSWORD)
    assert not User.objects.filter(is_operator=True).exclude(id=user.id).exists()


def test_an_operators_name_may_be_left_out(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operator("olga@myriad.example", password=PASSWORD, monkeypatch=monkeypatch)

    assert User.objects.get(email="olga@myriad.example").name == "olga"


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        ("alice@acme.example", PASSWORD, "a user alice@acme.example already"),
        ("ALICE@acme.example", PASSWORD, "already"),
        ("olga@myriad.example", "short", "too short"),
        ("olga@myriad.example", "", "too short"),
        ("olga@myriad.example", "123456789012", "numeric"),
        ("nobody", PASSWORD, "valid email"),
    ],
)
def test_an_operator_that_cannot_be(
    email: str, password: str, words: str, standing_cast: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = User.objects.count()
    with pytest.raises(CommandError, match=words):
        operator(email, password=password, monkeypatch=monkeypatch)
    assert User.objects.count() == before


def database_bootstrap() -> str:
    said = io.StringIO()
    call_command("database", "bootstrap", stdout=said)
    return said.getvalue()


def test_the_database_is_bootstrapped_again_and_again(standing_cast: object) -> None:
    assert database_bootstrap() == database_bootstrap() == "Roles and database are in place.\n"


@pytest.mark.parametrize("variable", ["DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "DATABASE_URL", "DATABASE_MAINT_URL"])
def test_a_missing_address_is_named(variable: str, stack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(CommandError, match=variable):
        database_bootstrap()


def test_an_address_of_another_role_is_refused(stack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", os.environ["DATABASE_URL"].replace("myriad_app", "postgres"))
    with pytest.raises(CommandError, match="myriad_app names the role 'postgres'"):
        database_bootstrap()


def test_the_bucket_is_made_once(stack: object, settings: Any) -> None:
    from tenants import s3

    settings.S3_BUCKET = "another-bucket"
    said = io.StringIO()
    for _ in range(2):
        call_command("storage", "bootstrap", stdout=said)

    assert said.getvalue() == "The bucket is in place.\n" * 2
    administrator = s3.administrator_client()
    buckets = [bucket["Name"] for bucket in administrator.list_buckets()["Buckets"]]
    assert buckets.count("another-bucket") == 1
