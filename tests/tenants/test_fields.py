"""TenantForeignKey: joins carry the tenant, and the database holds the composite key."""

import re
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, Prefetch
from django.test.utils import CaptureQueriesContext

from projects.models import DefectClass, Image, ImageClass, Project
from tenants.fields import TenantForeignKey
from tenants.ids import uuid7
from tenants.models import ApiKey, Invitation, Member
from tenants.scope import tenant_scope
from tests.cast import Cast
from tests.tenants.rolled_back import rolled_back

QUERIES = {
    "forward": lambda: ApiKey.objects.filter(member__role="OWNER"),
    "select_related": lambda: ApiKey.objects.select_related("member"),
    "nullable": lambda: Invitation.objects.select_related("invited_by"),
    "reverse": lambda: Member.objects.filter(apikey__name="First key"),
    "reverse outer": lambda: Member.objects.filter(apikey=None),
    "two joins": lambda: ImageClass.objects.filter(image__project__name="Casings"),
    "forth and back": lambda: Image.objects.filter(shown_classes__defect_class__project__name="Casings"),
    "annotation": lambda: ApiKey.objects.values_list("member__role"),
    "ordering": lambda: ApiKey.objects.order_by("member__role"),
}
EXCLUDES = {
    "exclude reverse": lambda: Member.objects.exclude(apikey__name="First key"),
    "exclude reverse and on": lambda: Member.objects.exclude(apikey__member__role="OWNER"),
    "exclude far": lambda: Project.objects.exclude(images__shown_classes__defect_class__name="dent"),
}
JOIN = re.compile(r'JOIN "(\w+)"(?: (\w+))? ON \((.*?)\)+(?= INNER| LEFT| WHERE| ORDER|$)')


def statement(build: Any, cast: Cast) -> str:
    with tenant_scope(cast.alice.tenant.id), CaptureQueriesContext(connection) as said:
        list(build())
    sql: str = said.captured_queries[-1]["sql"]
    return sql


@pytest.mark.parametrize("name", QUERIES)
def test_each_join_compares_the_tenant(name: str, standing_cast: Cast) -> None:
    sql = statement(QUERIES[name], standing_cast)
    joins = JOIN.findall(sql)

    assert len(joins) == sql.count(" JOIN ") > 0
    for table, alias, condition in joins:
        assert condition.count('"tenant_id"') == 2, sql
        assert f'"{alias or table}"."tenant_id"' in condition, sql


@pytest.mark.parametrize("name", EXCLUDES)
def test_an_exclusion_asks_for_the_tenants_rows(name: str, standing_cast: Cast) -> None:
    """Django trims the join of such a subquery; what compares the tenant must not compare it with itself."""
    sql = statement(EXCLUDES[name], standing_cast)
    subquery = sql[sql.index("EXISTS(") :]

    assert f"U1.\"tenant_id\" = '{standing_cast.alice.tenant.id}'" in subquery
    assert not re.search(r'[( ]"tenant_id"', subquery)
    assert subquery.count('"tenant_id"') == 1 + 2 * subquery.count(" JOIN ")


def test_an_exclusion_finds_what_it_should(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        with_key = Member.objects.filter(apikey__name="First key").count()
        ApiKey.objects.filter(member_id=standing_cast.bob.seat.member.id).update(name="Other")

        assert [member.id for member in Member.objects.exclude(apikey__name="First key")] == [
            standing_cast.bob.seat.member.id
        ]
        assert with_key == Member.objects.count() == 4


def test_a_subquery_and_a_prefetch_name_the_tenant(standing_cast: Cast) -> None:
    acme = str(standing_cast.alice.tenant.id)
    with tenant_scope(standing_cast.alice.tenant.id), CaptureQueriesContext(connection) as said:
        list(Member.objects.filter(Exists(ApiKey.objects.filter(member_id=OuterRef("id")))))
        list(Member.objects.prefetch_related(Prefetch("apikey_set", queryset=ApiKey.objects.filter(revoked_at=None))))

    assert [query["sql"].count(acme) for query in said.captured_queries if "SELECT" in query["sql"]][-3:] == [2, 1, 1]


def test_the_database_refuses_another_tenants_parent(cast: Cast) -> None:
    """Foreign-key checks bypass row-level security, so the key itself holds the tenant."""
    with tenant_scope(cast.charlie.tenant.id):
        project = Project.objects.create(name="Gears", kind="DETECTION")

    with tenant_scope(cast.alice.tenant.id):
        with pytest.raises(IntegrityError), transaction.atomic():
            DefectClass.objects.create(project_id=project.id, name="dent")
        with pytest.raises(IntegrityError), transaction.atomic():
            DefectClass.objects.create(project_id=uuid7(), name="dent")


def test_it_says_nothing_of_constraint_and_index_in_migrations() -> None:
    field = TenantForeignKey("tenants.Member", null=True)
    _, path, _, options = field.deconstruct()

    assert path == "tenants.fields.TenantForeignKey"
    assert options.keys() == {"null", "to", "on_delete"}
    assert not field.db_constraint
    assert not field.db_index
