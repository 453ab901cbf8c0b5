"""The first door: what a scope opens, what it refuses, and what it leaves behind (nothing)."""

import threading
import uuid
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, transaction

from tenants.ids import uuid7
from tenants.models import Member
from tenants.scope import (
    ForeignScope,
    NoScope,
    ScopeOpen,
    current_tenant_id,
    refuse_open_transaction,
    scope_or_none,
    tenant_scope,
)
from tests.cast import Cast


def setting() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nullif(current_setting('app.tenant_id', true), '')")
        value: str | None = cursor.fetchone()[0]
        return value


def test_a_scope_sets_the_tenant_for_one_transaction(standing_cast: Cast) -> None:
    tenant = uuid7()
    with tenant_scope(tenant):
        assert connection.in_atomic_block
        assert current_tenant_id() == tenant
        assert setting() == str(tenant)

    assert not connection.in_atomic_block
    assert scope_or_none() is None
    assert setting() is None


def test_the_next_user_of_a_connection_finds_no_tenant(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        first = cursor.fetchone()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), (SELECT count(*) FROM tenants_member)")
        assert cursor.fetchone() == (*first, 0)


def test_outside_a_scope_there_is_no_tenant() -> None:
    with pytest.raises(NoScope):
        current_tenant_id()


def test_the_scope_ends_with_an_error_and_takes_its_changes_back(standing_cast: Cast) -> None:
    with suppress(ZeroDivisionError), tenant_scope(standing_cast.alice.tenant.id):
        Member.objects.filter(id=standing_cast.bob.seat.member.id).update(role="VIEWER")
        raise ZeroDivisionError

    assert scope_or_none() is None
    with tenant_scope(standing_cast.alice.tenant.id):
        assert Member.objects.get(id=standing_cast.bob.seat.member.id).role == "LABELER"


def test_the_scope_ends_with_a_database_error(standing_cast: Cast) -> None:
    with pytest.raises(DatabaseError), tenant_scope(standing_cast.alice.tenant.id), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")

    assert scope_or_none() is None
    assert setting() is None


def test_the_same_tenants_scope_joins_the_open_one(standing_cast: Cast) -> None:
    tenant = standing_cast.alice.tenant.id
    with tenant_scope(tenant):
        with tenant_scope(tenant):
            assert Member.objects.exists()
        assert current_tenant_id() == tenant
        assert Member.objects.exists()


def test_another_tenants_scope_inside_one_is_refused(standing_cast: Cast) -> None:
    acme, bolt = standing_cast.alice.tenant.id, standing_cast.charlie.tenant.id
    with tenant_scope(acme):
        with pytest.raises(ForeignScope, match=str(bolt)), tenant_scope(bolt):
            pytest.fail("entered")
        assert setting() == str(acme)
        assert current_tenant_id() == acme


def test_a_scope_inside_a_transaction_ends_with_its_savepoint(standing_cast: Cast) -> None:
    """`set_config(…, true)` survives the savepoint's release, so the scope takes it back itself."""
    with transaction.atomic():
        with tenant_scope(standing_cast.alice.tenant.id):
            assert setting() == str(standing_cast.alice.tenant.id)
        assert setting() is None
        with tenant_scope(standing_cast.charlie.tenant.id):
            assert Member.objects.count() == 1
        with suppress(ZeroDivisionError), tenant_scope(standing_cast.alice.tenant.id):
            raise ZeroDivisionError
        assert setting() is None


@pytest.mark.parametrize("wrong", ["0190b8a4-0000-7000-8000-000000000000", None, 7, b"x" * 16])
def test_only_a_uuid_names_a_tenant(wrong: object) -> None:
    with pytest.raises(TypeError), tenant_scope(wrong):  # type: ignore[arg-type]  # what it is about
        pytest.fail("entered")


def test_a_thread_starts_without_a_scope(standing_cast: Cast) -> None:
    seen: list[uuid.UUID | None] = []
    with tenant_scope(uuid7()):
        thread = threading.Thread(target=lambda: seen.append(scope_or_none()))
        thread.start()
        thread.join()

    assert seen == [None]


def test_slow_work_is_refused_while_a_transaction_is_open(standing_cast: Cast) -> None:
    refuse_open_transaction("S3 traffic")
    with tenant_scope(uuid7()), pytest.raises(ScopeOpen, match="S3 traffic"):
        refuse_open_transaction("S3 traffic")
    with transaction.atomic(), pytest.raises(ScopeOpen):
        refuse_open_transaction("a child process")
