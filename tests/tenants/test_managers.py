"""The first guard: no query without a scope, none in another's, and each statement names the tenant."""

import asyncio
import inspect
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Count, QuerySet
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.managers import TenantQuerySet
from tenants.models import ApiKey, Invitation, Member
from tenants.scope import ForeignScope, NoScope, tenant_scope
from tests.cast import Cast

NEW = {
    "email": "new@acme.example",
    "role": "VIEWER",
    "prefix": "0" * 12,
    "token_hash": "0" * 64,
    "expires_at": timezone.now() + timedelta(days=1),
}
Run = Callable[[QuerySet[Any]], Any]


def updated(rows: QuerySet[Any]) -> int:
    row = Invitation(tenant_id=None, id="0190b8a4-0000-7000-8000-000000000000", **NEW)
    return rows.bulk_update([row], ["role"])


# Every method of a query set that asks the database, and how it is run here.
RUNS: dict[str, Run] = {
    "aggregate": lambda rows: rows.aggregate(count=Count("id")),
    "bulk_create": lambda rows: rows.bulk_create([Invitation(**NEW)]),
    "bulk_update": updated,
    "contains": lambda rows: rows.contains(Invitation(id="0190b8a4-0000-7000-8000-000000000000", tenant_id=None)),
    "count": lambda rows: rows.count(),
    "create": lambda rows: rows.create(**NEW),
    "delete": lambda rows: rows.filter(email="nobody@acme.example").delete(),
    "earliest": lambda rows: rows.earliest("created_at"),
    "exists": lambda rows: rows.exists(),
    "explain": lambda rows: rows.explain(),
    "first": lambda rows: rows.first(),
    "get": lambda rows: rows.get(email="bob@acme.example"),
    "get_or_create": lambda rows: rows.get_or_create(email="bob@acme.example", defaults=NEW),
    "in_bulk": lambda rows: rows.in_bulk(),
    "iterator": lambda rows: list(rows.iterator()),
    "last": lambda rows: rows.last(),
    "latest": lambda rows: rows.latest("created_at"),
    "update": lambda rows: rows.update(role="VIEWER"),
    "update_or_create": lambda rows: rows.update_or_create(email="bob@acme.example", defaults=NEW),
    "__iter__": list,
    "__len__": len,
    "__bool__": bool,
    "__getitem__": lambda rows: rows[0],
    "__contains__": lambda rows: None in rows,
    "__repr__": repr,
    "__getstate__": pickle.dumps,
}
# Those that build another query set, and how; it is then run.
BUILDS: dict[str, Run] = {
    "alias": lambda rows: rows.alias(x=Lower("email")),
    "all": lambda rows: rows.all(),
    "annotate": lambda rows: rows.annotate(x=Lower("email")),
    "complex_filter": lambda rows: rows.complex_filter({"role": "OWNER"}),
    "dates": lambda rows: rows.dates("created_at", "day"),
    "datetimes": lambda rows: rows.datetimes("created_at", "day"),
    "defer": lambda rows: rows.defer("email"),
    "difference": lambda rows: rows.difference(rows.filter(role="OWNER")),
    "distinct": lambda rows: rows.distinct(),
    "exclude": lambda rows: rows.exclude(role="OWNER"),
    "extra": lambda rows: rows.extra(where=["true"]),
    "filter": lambda rows: rows.filter(role="OWNER"),
    "intersection": lambda rows: rows.intersection(rows.filter(role="OWNER")),
    "only": lambda rows: rows.only("email"),
    "order_by": lambda rows: rows.order_by("email"),
    "prefetch_related": lambda rows: rows.prefetch_related("invited_by"),
    "reverse": lambda rows: rows.reverse(),
    "select_for_update": lambda rows: rows.select_for_update(),
    "select_related": lambda rows: rows.select_related("invited_by"),
    "union": lambda rows: rows.union(rows.filter(role="OWNER")),
    "using": lambda rows: rows.using("default"),
    "values": lambda rows: rows.values("email"),
    "values_list": lambda rows: rows.values_list("email"),
    "__and__": lambda rows: rows & rows.filter(role="OWNER"),
    "__or__": lambda rows: rows | rows.filter(role="OWNER"),
    "__xor__": lambda rows: rows ^ rows.filter(role="OWNER"),
}
# Those that do neither.
NEITHER = {
    "as_manager": "makes a manager",
    "none": "asks nothing",
    "raw": "refused; see its test",
    "resolve_expression": "makes a subquery; see its test",
    "bound": "ours: restricts to a tenant",
}
ALL = RUNS | {name: lambda rows, build=build: list(build(rows)) for name, build in BUILDS.items()}


def test_every_method_of_a_query_set_is_tried_here() -> None:
    """A method that a later Django adds must be judged."""
    public = {
        name
        for name, _ in inspect.getmembers(TenantQuerySet, inspect.isfunction)
        if not name.startswith("_") and not (name.startswith("a") and hasattr(models.QuerySet, name[1:]))
    }

    assert public - {"aiterator"} == {name for name in ALL if not name.startswith("_")} | NEITHER.keys() - {
        "as_manager"
    }


@pytest.mark.parametrize("name", ALL)
def test_runs_in_a_scope_and_names_its_tenant(name: str, cast: Cast) -> None:
    acme = cast.alice.tenant.id
    with tenant_scope(acme), CaptureQueriesContext(connection) as said:
        if name in {"bulk_update", "contains"}:
            row = Invitation.objects.get(email="bob@acme.example")
            rows = Invitation.objects.all()
            rows.bulk_update([row], ["role"]) if name == "bulk_update" else rows.contains(row)
        else:
            ALL[name](Invitation.objects.all())

    statements = [query["sql"] for query in said.captured_queries if "tenants_invitation" in query["sql"]]
    assert statements
    for sql in statements:
        assert str(acme) in sql, sql
        assert "tenant_id" in sql, sql


@pytest.mark.parametrize("name", ALL)
def test_raises_without_a_scope(name: str, cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        rows = Invitation.objects.all()

    with CaptureQueriesContext(connection) as said, pytest.raises(NoScope):
        ALL[name](rows)
    assert said.captured_queries == []


@pytest.mark.parametrize("name", ALL)
def test_raises_in_another_tenants_scope(name: str, cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        rows = Invitation.objects.all()

    with tenant_scope(cast.charlie.tenant.id), pytest.raises(ForeignScope):
        ALL[name](rows)


@pytest.mark.parametrize("name", sorted(ALL.keys() - {name for name in ALL if name.startswith("_")}))
def test_the_manager_raises_without_a_scope(name: str, database: str) -> None:
    with pytest.raises(NoScope):
        ALL[name](Invitation.objects)  # type: ignore[arg-type]  # a manager has the same methods


def without_row_security(admin: Any, database: str) -> None:
    """As only the superuser can; what still holds then is the manager's doing."""
    import os

    import psycopg2

    base = os.environ["DATABASE_ADMIN_URL"].rpartition("/")[0]
    owner = psycopg2.connect(f"{base}/{database}")
    with owner, owner.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_invitation DISABLE ROW LEVEL SECURITY")
    owner.close()


@pytest.mark.parametrize("name", ALL)
def test_keeps_to_its_tenant_without_row_security(name: str, cast: Cast, database: str, admin: Any) -> None:
    """The manager alone is a guard: in Bolt's scope nothing of Acme's is read or changed."""
    without_row_security(admin, database)
    acme, bolt = cast.alice.tenant.id, cast.charlie.tenant.id
    with tenant_scope(acme):
        before = list(Invitation.objects.order_by("id").values())
    with tenant_scope(bolt):
        try:
            found = ALL[name](Invitation.objects.all())
        except (Invitation.DoesNotExist, ForeignScope):
            found = None

    seen = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else [found]
    emails = {getattr(row, "email", None) for row in seen}
    assert not any(str(email).endswith("@acme.example") and email != NEW["email"] for email in emails)
    if name in {"count", "__len__"}:
        assert found == 1
    if name == "aggregate":
        assert found == {"count": 1}
    with tenant_scope(acme):
        assert list(Invitation.objects.order_by("id").values()) == before


def test_rows_fetched_in_a_scope_stay_readable_after_it(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        rows = Invitation.objects.all()
        fetched = len(rows)

    assert len(list(rows)) == fetched


def test_an_iterator_checks_again_when_its_first_row_is_asked_for(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        rows = Invitation.objects.iterator()

    with pytest.raises(NoScope):
        next(rows)
    with tenant_scope(cast.alice.tenant.id):
        rows = Invitation.objects.iterator()
    with tenant_scope(cast.charlie.tenant.id), pytest.raises(ForeignScope):
        next(rows)


def test_an_asynchronous_iterator_raises_without_a_scope(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        rows = Invitation.objects.all()

    async def ask() -> None:
        async for _ in rows.aiterator():
            pass

    with pytest.raises(NoScope):
        asyncio.run(ask())


def test_raw_sql_is_refused(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id), pytest.raises(TypeError, match="raw SQL"):
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
def test_queries_of_two_tenants_do_not_combine(combine: Any, cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        foreign = Invitation.objects.all()

    with tenant_scope(cast.charlie.tenant.id), pytest.raises(ForeignScope):
        list(combine(Invitation.objects.all(), foreign))


def test_rows_do_not_change_their_tenant(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        with pytest.raises(ForeignScope):
            Invitation.objects.update(tenant_id=cast.charlie.tenant.id)
        row = Invitation.objects.earliest("id")
        row.tenant_id = cast.charlie.tenant.id
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
def test_a_delete_whose_limits_would_be_lost_is_refused(build: Any, cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        before = Invitation.objects.count()
        with pytest.raises(TypeError, match="plain filter"):
            build(Invitation.objects.all()).delete()
        assert Invitation.objects.count() == before > 1


def test_a_delete_is_one_statement_and_counts(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id), CaptureQueriesContext(connection) as said:
        deleted = Invitation.objects.filter(email="bob@acme.example").delete()

    assert deleted == (1, {"tenants.Invitation": 1})
    assert [query["sql"].split()[0] for query in said.captured_queries if "invitation" in query["sql"]] == ["DELETE"]


def test_a_row_saves_and_deletes_itself_under_its_tenant(cast: Cast) -> None:
    acme = cast.alice.tenant.id
    with tenant_scope(acme):
        row = Invitation.objects.create(**NEW)
        with CaptureQueriesContext(connection) as said:
            row.role = "LABELER"
            row.save()
            row.refresh_from_db()
            row.delete()

    statements = [query["sql"] for query in said.captured_queries]
    assert [sql.split()[0] for sql in statements] == ["UPDATE", "SELECT", "DELETE"]
    assert all(f"\"tenant_id\" = '{acme}'" in sql for sql in statements)


def test_a_row_does_nothing_outside_its_tenants_scope(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        row = Invitation.objects.create(**NEW)

    for act in (row.save, row.delete, row.refresh_from_db):
        with pytest.raises(NoScope):
            act()
    with tenant_scope(cast.charlie.tenant.id):
        for write in (row.save, row.delete):
            with pytest.raises(ForeignScope):
                write()
        with pytest.raises(Invitation.DoesNotExist):
            row.refresh_from_db()
        with pytest.raises(ForeignScope):
            Invitation.objects.bulk_create([row])


def test_relations_are_followed_under_the_tenant(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        key = ApiKey.objects.get(id=cast.bob.seat.key.id)
        member = Member.objects.get(id=cast.bob.seat.member.id)

    with pytest.raises(NoScope):
        _ = key.member
    with pytest.raises(NoScope):
        member.apikey_set.count()
    with tenant_scope(cast.charlie.tenant.id):
        with pytest.raises(Member.DoesNotExist):
            _ = key.member
        assert member.apikey_set.count() == 0
