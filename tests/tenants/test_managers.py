"""The first guard: no query without a scope, none in another's, and each statement names the tenant."""

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.db.models import Count, QuerySet
from django.db.models.functions import Lower
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.ids import uuid7
from tenants.managers import TenantQuerySet
from tenants.models import Invitation
from tenants.scope import ForeignScope, NoScope, tenant_scope
from tests.cast import Cast
from tests.tenants.conftest import administrator
from tests.tenants.rolled_back import rolled_back

NEW = {
    "email": "new@bolt.example",
    "role": "VIEWER",
    "prefix": "0" * 12,
    "token_hash": "0" * 64,
    "expires_at": timezone.now() + timedelta(days=1),
}
Run = Callable[[QuerySet[Any]], Any]


def some_row() -> Invitation:
    return Invitation(tenant_id=uuid7(), id=uuid7(), **NEW)


# Every method of a query set that asks the database, and how it is run here.
RUNS: dict[str, Run] = {
    "aggregate": lambda rows: rows.aggregate(count=Count("id")),
    "bulk_create": lambda rows: rows.bulk_create([Invitation(**NEW)]),
    "bulk_update": lambda rows: rows.bulk_update([some_row()], ["role"]),
    "contains": lambda rows: rows.contains(some_row()),
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
    "__getstate__": lambda rows: rows.__getstate__(),
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
def test_runs_in_a_scope_and_names_its_tenant(name: str, standing_cast: Cast) -> None:
    acme = standing_cast.alice.tenant.id
    with rolled_back(acme), CaptureQueriesContext(connection) as said:
        ALL[name](Invitation.objects.all())

    statements = [query["sql"] for query in said.captured_queries if "tenants_invitation" in query["sql"]]
    assert statements
    for sql in statements:
        assert str(acme) in sql, sql
        assert "tenant_id" in sql, sql


@pytest.mark.parametrize("name", ALL)
def test_raises_without_a_scope(name: str, standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        rows = Invitation.objects.all()

    with CaptureQueriesContext(connection) as said, pytest.raises(NoScope):
        ALL[name](rows)
    assert said.captured_queries == []


@pytest.mark.parametrize("name", ALL)
def test_raises_in_another_tenants_scope(name: str, standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id):
        rows = Invitation.objects.all()

    with tenant_scope(standing_cast.charlie.tenant.id), pytest.raises(ForeignScope):
        ALL[name](rows)


@pytest.mark.parametrize("name", sorted(ALL.keys() - {name for name in ALL if name.startswith("_")}))
def test_the_manager_raises_without_a_scope(name: str, standing_cast: Cast) -> None:
    with pytest.raises(NoScope):
        ALL[name](Invitation.objects)  # type: ignore[arg-type]  # a manager has the same methods


@pytest.fixture(scope="module")
def unguarded(standing: str) -> Iterator[None]:
    """Without row-level security: what still holds is the manager's doing."""
    with administrator(standing) as cursor:
        cursor.execute("ALTER TABLE tenants_invitation DISABLE ROW LEVEL SECURITY")
        yield
        cursor.execute("ALTER TABLE tenants_invitation ENABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize("name", ALL)
def test_keeps_to_its_tenant_without_row_security(name: str, unguarded: None, standing_cast: Cast) -> None:
    """In Bolt's scope, nothing of Acme's is read or changed."""
    acme, bolt = standing_cast.alice.tenant.id, standing_cast.charlie.tenant.id
    with tenant_scope(acme):
        before = list(Invitation.objects.order_by("id").values())
    with rolled_back(bolt):
        try:
            found = ALL[name](Invitation.objects.all())
        except Invitation.DoesNotExist:
            found = None
        assert "@acme.example" not in shown(found)
    if name in {"count", "__len__", "aggregate"}:
        assert found in (1, {"count": 1})
    with tenant_scope(acme):
        assert list(Invitation.objects.order_by("id").values()) == before


def shown(found: Any) -> str:
    """What came back, with all fields of its rows."""
    rows = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else [found]
    return " ".join(str(model_to_dict(row)) if isinstance(row, Invitation) else str(row) for row in rows)
