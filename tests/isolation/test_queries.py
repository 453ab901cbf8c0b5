"""The manager: every way of Django's to read or write keeps to the scope that the query was made in, or raises."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Count, Exists, OuterRef, Prefetch, QuerySet, Subquery

from projects.models import DefectClass, Image, Project
from tenants.models import TenantModel
from tenants.scope import ForeignScope, NoScope, tenant_scope
from tests.isolation.world import World, state_of, tenant_models

Use = Callable[[Any], Any]


def unsaved(rows: QuerySet[Project], **values: Any) -> Project:
    """A project of the tenant for which `rows` was made."""
    return Project(tenant_id=rows._made_for, name="x", kind="ANOMALY", **values)  # type: ignore[attr-defined]


READS: dict[str, Use] = {
    "list": list,
    "iterator": lambda rows: list(rows.iterator()),
    "values": lambda rows: list(rows.values("id")),
    "values iterator": lambda rows: list(rows.values_list("id").iterator()),
    "count": lambda rows: rows.count(),
    "exists": lambda rows: rows.exists(),
    "first": lambda rows: rows.first(),
    "last": lambda rows: rows.last(),
    "latest": lambda rows: rows.latest("id"),
    "get": lambda rows: rows.get(),
    "slice": lambda rows: list(rows[:1]),
    "index": lambda rows: rows.order_by("id")[0],
    "aggregate": lambda rows: rows.aggregate(total=Count("id")),
    "group": lambda rows: list(rows.values("kind").annotate(total=Count("images"))),
    "in_bulk": lambda rows: rows.in_bulk(),
    "explain": lambda rows: rows.explain(),
    "dates": lambda rows: list(rows.datetimes("created_at", "day")),
    "bool": bool,
    "len": len,
    "contains": lambda rows: rows.contains(unsaved(rows)),
    "union": lambda rows: list(rows.union(rows.all())),
    "distinct": lambda rows: list(rows.distinct()),
    "only": lambda rows: list(rows.only("id")),
    "lock": lambda rows: list(rows.select_for_update()),
    "prefetch": lambda rows: list(rows.prefetch_related("images")),
    "subquery": lambda rows: list(Image.objects.filter(project__in=rows)),
}
WRITES: dict[str, Use] = {
    "update": lambda rows: rows.update(description="x"),
    "delete": lambda rows: rows.delete(),
    "create": lambda rows: rows.create(name="x", kind="ANOMALY"),
    "bulk_create": lambda rows: rows.bulk_create([unsaved(rows)]),
    "bulk_update": lambda rows: rows.bulk_update([unsaved(rows, id=uuid.uuid4())], ["description"]),
    "get_or_create": lambda rows: rows.get_or_create(name="x", defaults={"kind": "ANOMALY"}),
    "update_or_create": lambda rows: rows.update_or_create(name="x", defaults={"kind": "ANOMALY"}),
}
USES = pytest.mark.parametrize("use", [pytest.param(use, id=name) for name, use in (READS | WRITES).items()])
MODELS = pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model.__name__)


def made_for_acme(world: World) -> QuerySet[Project]:
    with tenant_scope(world.acme.tenant):
        return Project.objects.filter(id=world.acme.newest)


@USES
def test_a_query_runs_in_the_scope_it_was_made_in(use: Use, world: World) -> None:
    rows = made_for_acme(world)
    with tenant_scope(world.acme.tenant):
        use(rows)


@USES
def test_a_query_does_not_run_when_its_scope_is_over(use: Use, world: World) -> None:
    rows = made_for_acme(world)
    before = state_of(world.acme.tenant)
    with pytest.raises(NoScope):
        use(rows)
    assert state_of(world.acme.tenant) == before


@USES
def test_a_query_does_not_run_in_anothers_scope(use: Use, world: World) -> None:
    rows = made_for_acme(world)
    before = state_of(world.acme.tenant)
    with tenant_scope(world.bolt.tenant), pytest.raises(ForeignScope):
        use(rows)
    assert state_of(world.acme.tenant) == before


@MODELS
def test_no_query_is_even_begun_without_a_scope(model: type[TenantModel], world: World) -> None:
    for begin in (model.objects.all, model.objects.count, model.objects.create, model.objects.first):
        with pytest.raises(NoScope):
            begin()
    with pytest.raises(NoScope):
        model()


@MODELS
def test_each_model_finds_its_own_rows_and_no_others(model: type[TenantModel], world: World) -> None:
    with tenant_scope(world.acme.tenant):
        acmes = set(model.objects.values_list("id", flat=True))
    with tenant_scope(world.bolt.tenant):
        own = set(model.objects.values_list("id", flat=True))
        assert not model.objects.filter(id__in=acmes).exists()
        assert model.objects.filter(id__in=acmes | own).count() == len(own)
        with pytest.raises(model.DoesNotExist):
            model.objects.get(id=next(iter(acmes)))
    assert acmes
    assert own
    assert not acmes & own


def test_an_iterator_begun_in_a_scope_does_not_go_on_in_anothers(world: World) -> None:
    with tenant_scope(world.acme.tenant):
        rows = Project.objects.iterator()
    with tenant_scope(world.bolt.tenant), pytest.raises(ForeignScope):
        next(rows)


COMBINATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "or": lambda own, foreign: own | foreign,
    "and": lambda own, foreign: own & foreign,
    "xor": lambda own, foreign: own ^ foreign,
    "union": lambda own, foreign: own.union(foreign),
    "intersection": lambda own, foreign: own.intersection(foreign),
    "difference": lambda own, foreign: own.difference(foreign),
    "in": lambda own, foreign: own.filter(id__in=foreign),
    "prefetch": lambda own, foreign: own.prefetch_related(Prefetch("classes", foreign)),
    "exclude": lambda own, foreign: own.exclude(id__in=foreign.values("id")),
}


@pytest.mark.parametrize("combine", [pytest.param(use, id=name) for name, use in COMBINATIONS.items()])
def test_queries_of_two_tenants_do_not_combine(combine: Callable[[Any, Any], Any], world: World) -> None:
    foreign: Any = made_for_acme(world)
    if combine is COMBINATIONS["prefetch"]:
        with tenant_scope(world.acme.tenant):
            foreign = DefectClass.objects.all()
    with tenant_scope(world.bolt.tenant), pytest.raises(ForeignScope):
        list(combine(Project.objects.all(), foreign))


def test_a_subquery_of_another_tenants_finds_nothing(world: World) -> None:
    """`Subquery` takes the bare SQL out of a query set, where the manager cannot look; the database does."""
    with tenant_scope(world.acme.tenant):
        name = Subquery(Project.objects.filter(id=world.acme.project).values("name"))
        exists = Exists(Project.objects.exclude(id=OuterRef("id")))
    with tenant_scope(world.bolt.tenant):
        rows = Project.objects.annotate(told=name, exists=exists).values_list("told", "exists")
        assert set(rows) == {(None, False)}


def test_raw_sql_does_not_pass_through_the_manager(world: World) -> None:
    with tenant_scope(world.bolt.tenant), pytest.raises(TypeError, match="no raw SQL"):
        Project.objects.raw("SELECT * FROM projects_project")


@pytest.mark.parametrize(
    "wrong", [{"project__name": "Acme housings"}, {"project__tenant_id": "acme"}, {"tenant_id": "acme"}]
)
def test_lookups_do_not_cross_to_another_tenant(wrong: dict[str, Any], world: World) -> None:
    filters = {name: world.acme.tenant if value == "acme" else value for name, value in wrong.items()}
    with tenant_scope(world.acme.tenant):
        assert Image.objects.filter(**filters).exists()
    with tenant_scope(world.bolt.tenant):
        assert not Image.objects.filter(**filters).exists()


@pytest.mark.parametrize(
    "rows",
    [
        lambda: Image.objects.select_related("project", "job"),
        lambda: Image.objects.filter(project__kind="DETECTION", job__state="PENDING"),
        lambda: Image.objects.filter(shown_classes__defect_class__name="x"),
        lambda: Project.objects.annotate(total=Count("images")),
    ],
)
def test_joins_carry_the_tenant(rows: Callable[[], QuerySet[Any]], world: World) -> None:
    with tenant_scope(world.bolt.tenant):
        joins = str(rows().query).split(" JOIN ")[1:]
    assert joins
    for join in joins:
        condition = join.partition(" ON ")[2].partition(" WHERE ")[0]
        assert condition.count('"tenant_id"') == 2, join
