"""Migrations are linear and complete, and each tenant-owned table is isolated where it is made."""

import io
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddIndexConcurrently
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


def statements(migration: migrations.Migration) -> Iterator[str]:
    for operation in migration.operations:
        if isinstance(operation, migrations.RunSQL):
            yield from [operation.sql] if isinstance(operation.sql, str) else map(str, operation.sql)


def long_locks(migration: migrations.Migration) -> Iterator[str]:
    """What reads a whole table that may be in use, while nobody can write to it."""
    made = {operation.name_lower for operation in migration.operations if isinstance(operation, migrations.CreateModel)}
    for operation in migration.operations:
        adds = isinstance(operation, migrations.AddIndex | migrations.AddConstraint)
        if adds and not isinstance(operation, AddIndexConcurrently) and operation.model_name_lower not in made:
            yield operation.describe()
    sql = list(statements(migration))
    for statement in sql:
        table = re.match(r"ALTER TABLE (\w+) ADD CONSTRAINT", statement)
        isolated_here = table and f"ALTER TABLE {table[1]} FORCE ROW LEVEL SECURITY" in sql
        if table and not isolated_here and not statement.endswith("NOT VALID"):
            yield statement


def test_tables_in_use_are_not_locked_while_they_are_read(loader: MigrationLoader) -> None:
    found = {
        f"{app}.{name}: {what}"
        for (app, name), migration in loader.disk_migrations.items()
        if app in OWN_APPS
        for what in long_locks(migration)
    }

    assert found == set()
