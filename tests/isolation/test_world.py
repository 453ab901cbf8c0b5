"""The world is what the other tests take it for, and the four runs are what they say."""

import pytest
from django.db import connection

from projects.models import Project
from tenants.models import Tenant
from tenants.scope import ForeignScope, NoScope, tenant_scope
from tests.isolation.guards import Guards
from tests.isolation.world import World, all_rows, tenant_models, tenant_tables


def test_each_tenant_has_rows_in_every_table_that_could_leak(world: World) -> None:
    for holdings in (world.acme, world.bolt):
        empty = [table for table in tenant_tables() if not all_rows(table, holdings.tenant)]
        assert empty == []


def test_every_guarded_table_is_known(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind = 'r'")
        assert {name for (name,) in cursor.fetchall()} == set(tenant_tables())


def test_the_server_is_no_superuser_here(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("myriad_app", False, False)


def test_the_runs_disable_what_they_say(guarded_world: World, guards: Guards) -> None:
    bolt = guarded_world.bolt.tenant
    with tenant_scope(bolt):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT tenant_id) FROM projects_project")
            tenants_seen_by_sql = cursor.fetchone()[0]
        filtered = all("tenant_id" in str(model.objects.all().query.where) for model in tenant_models())
    assert tenants_seen_by_sql == (1 if guards.row_security else 2)
    assert filtered is guards.manager
    if guards.manager:
        with pytest.raises(NoScope):
            Project.objects.count()
    else:
        assert Project.objects.count() == (0 if guards.row_security else Tenant.objects.count() * 2)


def test_the_model_refuses_foreign_rows_only_while_its_guard_stands(guarded_world: World, guards: Guards) -> None:
    with tenant_scope(guarded_world.acme.tenant):
        project = Project(id=guarded_world.acme.newest, tenant_id=guarded_world.acme.tenant)
    with tenant_scope(guarded_world.bolt.tenant):
        if guards.manager:
            with pytest.raises(ForeignScope):
                project.delete()
        else:
            deleted, _ = project.delete()
            assert deleted == (0 if guards.row_security else 1)
