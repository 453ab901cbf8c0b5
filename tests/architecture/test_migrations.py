"""Migrations are linear and complete, and each tenant-owned table is isolated where it is made."""

import io
from collections import Counter

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import migrations
from django.db.migrations.loader import MigrationLoader

from tenants.models import TenantModel

OWN_APPS = ("tenants", "projects", "workers", "training", "fleet")


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None)


def test_models_and_migrations_agree(database: str) -> None:
    said = io.StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=said)
    except SystemExit:
        pytest.fail(said.getvalue())


def test_the_template_is_migrated_to_the_end(database: str) -> None:
    said = io.StringIO()
    call_command("showmigrations", plan=True, stdout=said)

    assert "[ ]" not in said.getvalue()


def test_migrations_are_linear(loader: MigrationLoader) -> None:
    leaves = Counter(app for app, _ in loader.graph.leaf_nodes())
    assert {app: count for app, count in leaves.items() if count > 1} == {}

    for (app, name), migration in loader.disk_migrations.items():
        parents = [parent for parent in migration.dependencies if parent[0] == app]
        assert len(parents) <= 1, f"{app}.{name} merges {parents}"
    for app in OWN_APPS:
        numbers = sorted(name.split("_")[0] for own, name in loader.disk_migrations if own == app)
        assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)], app


def test_each_tenant_owned_table_is_isolated_where_it_is_made(loader: MigrationLoader) -> None:
    """A table must not be visible to everybody between its migration and another app's."""
    forgotten = []
    for model in apps.get_models():
        if not issubclass(model, TenantModel):
            continue
        app, table = model._meta.app_label, model._meta.db_table
        sql = " ".join(
            str(operation.sql)
            for (own, _), migration in loader.disk_migrations.items()
            if own == app
            for operation in migration.operations
            if isinstance(operation, migrations.RunSQL)
        )
        if f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" not in sql:
            forgotten.append(table)

    assert forgotten == []
