"""Tenant-owned rows and their queries, once they exist: when they may be used, combined, changed and deleted."""

import asyncio
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.models import ApiKey, Invitation, Member
from tenants.scope import ForeignScope, NoScope, tenant_scope
from tests.cast import Cast
from tests.tenants.rolled_back import rolled_back
from tests.tenants.test_managers import NEW


def test_rows_fetched_in_a_scope_stay_readable_after_it(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        rows = Invitation.objects.all()
        fetched = len(rows)

    assert len(list(rows)) == fetched


def test_an_iterator_checks_again_when_its_first_row_is_asked_for(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        rows = Invitation.objects.iterator()

    with pytest.raises(NoScope):
        next(rows)
    with tenant_scope(standing_cast.alice.tenant.id):
        rows = Invitation.objects.iterator()
    with tenant_scope(standing_cast.charlie.tenant.id), pytest.raises(ForeignScope):
        next(rows)


def test_an_asynchronous_iterator_raises_without_a_scope(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        rows = Invitation.objects.all()

    async def ask() -> None:
        async for _ in rows.aiterator():
            pass

    with pytest.raises(NoScope):
        asyncio.run(ask())


def test_raw_sql_is_refused(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id), pytest.raises(TypeError, match="raw SQL"):
        Invitation.objects.raw("SELECT * FROM tenants_invitation")


@pytest.mark.parametrize(
    "combine",
    [
        lambda own, foreign: own | foreign,
        lambda own, foreign: own & foreign,
        lambda own, foreign: own ^ foreign,
        lambda own, foreign: own.union(foreign),
        lambda own, foreign: own.intersection(foreign),
        lambda own, foreign: own.difference(foreign),
        lambda own, foreign: own.filter(id__in=foreign.values("id")),
    ],
    ids=["or", "and", "xor", "union", "intersection", "difference", "subquery"],
)
def test_queries_of_two_tenants_do_not_combine(combine: Any, standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        foreign = Invitation.objects.all()

    with tenant_scope(standing_cast.charlie.tenant.id), pytest.raises(ForeignScope):
        list(combine(Invitation.objects.all(), foreign))


def test_rows_do_not_change_their_tenant(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        with pytest.raises(ForeignScope):
            Invitation.objects.update(tenant_id=standing_cast.charlie.tenant.id)
        row = Invitation.objects.earliest("id")
        row.tenant_id = standing_cast.charlie.tenant.id
        with pytest.raises(ForeignScope):
            row.save()
        with pytest.raises(ForeignScope):
            Invitation.objects.bulk_update([row], ["tenant_id"])


@pytest.mark.parametrize(
    "build",
    [
        lambda rows: rows[:1],
        lambda rows: rows[1:],
        lambda rows: rows.distinct(),
        lambda rows: rows.order_by("email").distinct("email"),
        lambda rows: rows.values("email"),
        lambda rows: rows.union(rows.filter(role="OWNER")),
    ],
    ids=["limit", "offset", "distinct", "distinct on", "values", "union"],
)
def test_a_delete_whose_limits_would_be_lost_is_refused(build: Any, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        before = Invitation.objects.count()
        with pytest.raises(TypeError, match="plain filter"):
            build(Invitation.objects.all()).delete()
        assert Invitation.objects.count() == before > 1


def test_a_delete_is_one_statement_and_counts(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id), CaptureQueriesContext(connection) as said:
        deleted = Invitation.objects.filter(email="bob@acme.example").delete()

    assert deleted == (1, {"tenants.Invitation": 1})
    assert [query["sql"].split()[0] for query in said.captured_queries if "invitation" in query["sql"]] == ["DELETE"]


def test_a_row_saves_and_deletes_itself_under_its_tenant(standing_cast: Cast) -> None:
    acme = standing_cast.alice.tenant.id
    with rolled_back(acme):
        row = Invitation.objects.create(**NEW)
        with CaptureQueriesContext(connection) as said:
            row.role = "LABELER"
            row.save()
            row.refresh_from_db()
            row.delete()

    statements = [query["sql"] for query in said.captured_queries]
    assert [sql.split()[0] for sql in statements] == ["UPDATE", "SELECT", "DELETE"]
    assert all(f"\"tenant_id\" = '{acme}'" in sql for sql in statements)


def test_a_row_does_nothing_outside_its_tenants_scope(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        row = Invitation.objects.create(**NEW)

    for act in (row.save, row.delete, row.refresh_from_db):
        with pytest.raises(NoScope):
            act()
    with tenant_scope(standing_cast.charlie.tenant.id):
        for write in (row.save, row.delete):
            with pytest.raises(ForeignScope):
                write()
        with pytest.raises(Invitation.DoesNotExist):
            row.refresh_from_db()
        with pytest.raises(ForeignScope):
            Invitation.objects.bulk_create([row])


def test_relations_are_followed_under_the_tenant(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        key = ApiKey.objects.get(id=standing_cast.bob.seat.key.id)
        member = Member.objects.get(id=standing_cast.bob.seat.member.id)

    with pytest.raises(NoScope):
        _ = key.member
    with pytest.raises(NoScope):
        member.apikey_set.count()
    with tenant_scope(standing_cast.charlie.tenant.id):
        with pytest.raises(Member.DoesNotExist):
            _ = key.member
        assert member.apikey_set.count() == 0
