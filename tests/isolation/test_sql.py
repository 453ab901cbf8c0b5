"""What plain SQL can do as the server's role: to another tenant's rows, and to the guards themselves."""

import contextlib
import json
import uuid
from typing import Any

import pytest
from django.db import Error, IntegrityError, connection, connections, transaction
from psycopg2 import DatabaseError

from tenants.fields import TenantForeignKey
from tenants.scope import tenant_scope
from tests.isolation.world import World, all_rows, state_of, tenant_models, tenant_tables

TABLES = sorted({model._meta.db_table for model in tenant_models()})
# (table, column, the table it points at) of each foreign key between rows of one tenant.
FOREIGN_KEYS = [
    (model._meta.db_table, field.column, field.related_model._meta.db_table)
    for model in tenant_models()
    for field in model._meta.fields
    if isinstance(field, TenantForeignKey)
]


def run(sql: str, parameters: Any = None) -> int:
    """Executes as the server's role; how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        count: int = cursor.rowcount
        return count


def refused(sql: str, parameters: Any = None) -> str:
    """The error with which the database refuses a statement."""
    with pytest.raises(Error) as caught, transaction.atomic():
        run(sql, parameters)
    return str(caught.value)


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_another_tenant_are_neither_changed_nor_removed(table: str, world: World) -> None:
    before = state_of(world.acme.tenant)
    ids = [row["id"] for row in all_rows(table, world.acme.tenant)]
    assert ids
    with tenant_scope(world.bolt.tenant):
        for sql in (f"UPDATE {table} SET id = id WHERE id = ANY(%s)", f"DELETE FROM {table} WHERE id = ANY(%s)"):
            if table == "tenants_auditevent":
                assert "permission denied" in refused(sql, [ids])
            else:
                assert run(sql, [ids]) == 0
    assert state_of(world.acme.tenant) == before


def row_like(table: str, owner: uuid.UUID, **changes: str) -> str:
    """One of a tenant's rows as JSON, with another id."""
    with connections["maint"].cursor() as cursor:
        sql = f"SELECT (to_jsonb(it) || %s::jsonb)::text FROM {table} it WHERE tenant_id = %s ORDER BY id LIMIT 1"
        cursor.execute(sql, [json.dumps({"id": str(uuid.uuid4()), **changes}), owner])
        text: str = cursor.fetchone()[0]
        return text


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_slipped_to_another_tenant(table: str, world: World) -> None:
    before = state_of(world.acme.tenant)
    insert = f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s)"
    with tenant_scope(world.bolt.tenant):
        slipped = row_like(table, world.bolt.tenant, tenant_id=str(world.acme.tenant))
        assert "row-level security" in refused(insert, [slipped])
        given_away = refused(f"UPDATE {table} SET tenant_id = %s", [world.acme.tenant])
        assert "row-level security" in given_away or "permission denied for table tenants_auditevent" in given_away
    # Without a scope, not even to oneself.
    assert "row-level security" in refused(insert, [row_like(table, world.bolt.tenant)])
    assert state_of(world.acme.tenant) == before


@pytest.mark.parametrize(("table", "column", "target"), FOREIGN_KEYS)
def test_no_row_points_at_another_tenants(table: str, column: str, target: str, world: World) -> None:
    """The composite foreign key, which row-level security does not reach: its checks bypass policies."""
    parameters = [all_rows(target, world.acme.tenant)[0]["id"], all_rows(table, world.bolt.tenant)[0]["id"]]
    point = f"UPDATE {table} SET {column} = %s WHERE id = %s"
    with tenant_scope(world.bolt.tenant):
        assert "violates foreign key constraint" in refused(point, parameters)
    # The same for a role that no policy binds.
    with connections["maint"].cursor() as cursor, pytest.raises(IntegrityError, match="foreign key"):
        cursor.execute(point, parameters)


def test_foreign_keys_are_known() -> None:
    assert len(FOREIGN_KEYS) >= 8


def test_the_same_id_and_name_in_two_tenants_is_no_conflict(world: World) -> None:
    """A unique index across tenants would tell one what the other has."""
    project = all_rows("projects_project", world.acme.tenant)[0]
    with tenant_scope(world.bolt.tenant):
        inserted = run(
            "INSERT INTO projects_project"
            " (id, tenant_id, name, kind, description, image_count, labelled_count, created_at)"
            " VALUES (%s, %s, %s, 'DETECTION', '', 0, 0, now())",
            [project["id"], world.bolt.tenant, project["name"]],
        )
    assert inserted == 1


@pytest.mark.parametrize("table", [*TABLES, "tenants_tenant", "tenants_user"])
def test_truncate_is_refused(table: str, world: World) -> None:
    with tenant_scope(world.bolt.tenant):
        assert "permission denied" in refused(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE projects_image DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE projects_image NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON projects_image",
        "CREATE POLICY mine ON projects_image USING (true)",
        "ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL",
        "SET LOCAL session_replication_role = replica",
        "SET LOCAL ROLE myriad_owner",
        "SET LOCAL ROLE myriad_maint",
        "SET LOCAL ROLE myriad_definer",
        "SET SESSION AUTHORIZATION myriad_owner",
        "CREATE TABLE loot (line text)",
        "CREATE VIEW loot AS SELECT * FROM projects_image",
        "CREATE FUNCTION loot() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "COPY projects_image TO PROGRAM 'cat'",
        "COPY projects_image TO '/tmp/loot'",
        "SELECT pg_read_file('/etc/hostname')",
        "SELECT lo_import('/etc/hostname')",
    ],
)
def test_the_server_cannot_loosen_its_own_guards(sql: str, world: World) -> None:
    with tenant_scope(world.bolt.tenant):
        error = refused(sql)
    assert "permission denied" in error or "must be owner" in error, error


def test_the_server_cannot_hand_on_what_it_may(world: World) -> None:
    run("GRANT ALL ON projects_image TO PUBLIC")  # without an owner's right only a warning
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.table_privileges WHERE grantee = 'PUBLIC'"
            " AND table_schema = 'public'"
        )
        assert cursor.fetchone() == (0,)


def test_row_security_off_is_an_error_and_no_way_round(world: World) -> None:
    with tenant_scope(world.bolt.tenant):
        run("SET LOCAL row_security = off")
        assert "would be affected by row-level security" in refused("SELECT * FROM projects_image")


@pytest.mark.parametrize("table", TABLES)
def test_copy_takes_out_ones_own_rows_and_puts_in_none(table: str, world: World) -> None:
    with tenant_scope(world.bolt.tenant):
        taken = _Sink()
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT * FROM {table}) TO STDOUT", taken)
            cursor.copy_expert(f"COPY {table} TO STDOUT", taken)
        assert str(world.bolt.tenant) in taken.text
        assert [mark for mark in world.marks if mark in taken.text] == []
        with pytest.raises(DatabaseError, match="not supported with row-level security"), connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {table} FROM STDIN", _Sink())


class _Sink:
    """A file as the driver's COPY takes it, either way."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, data: str | bytes) -> int:
        self.text += data if isinstance(data, str) else data.decode()
        return len(data)

    def read(self, _size: int = 0) -> str:
        return ""


@pytest.mark.parametrize("role", ["default", "maint", "owner", "admin"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET action = 'nothing'", "DELETE FROM {}", "TRUNCATE {}"])
def test_nobody_changes_the_audit_log(role: str, sql: str, world: World, superuser: Any) -> None:
    before = state_of(world.acme.tenant)
    statement = sql.format("tenants_auditevent")
    words = "permission denied|append-only|must be owner"
    cursor: Any = superuser.cursor() if role == "admin" else connections[role].cursor()
    with contextlib.closing(cursor):
        cursor.execute("SELECT set_config('app.tenant_id', %s, false)", [str(world.acme.tenant)])
        with pytest.raises((Error, DatabaseError), match=words):
            cursor.execute(statement)
    assert state_of(world.acme.tenant) == before


def test_definer_functions_return_ids_and_counts_and_nobody_else_may_call_them(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.proname, pg_get_function_result(p.oid), o.rolname,"
            "       coalesce(array_to_string(p.proconfig, ';'), ''),"
            "       has_function_privilege('public', p.oid, 'EXECUTE')"
            "  FROM pg_proc p JOIN pg_roles o ON o.oid = p.proowner"
            " WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
        )
        functions = cursor.fetchall()
    assert len(functions) >= 8
    for name, returns, owner, config, public in functions:
        types = {part.split()[-1] for part in returns.removeprefix("TABLE(").rstrip(")").split(",")}
        assert types <= {"uuid", "bigint"}, name
        assert (owner, public) == ("myriad_definer", False), name
        assert "search_path=pg_catalog, public, pg_temp" in config, name


def test_definer_functions_tell_a_stranger_no_more_than_an_id(world: World) -> None:
    key = all_rows("tenants_apikey", world.acme.tenant)[0]
    with tenant_scope(world.bolt.tenant), connection.cursor() as cursor:
        # Sign-in must find the tenant of a prefix; that is an id, and the row stays out of reach.
        cursor.execute("SELECT key_tenant(%s)", [key["prefix"]])
        assert cursor.fetchone() == (world.acme.tenant,)
        cursor.execute("SELECT count(*) FROM tenants_apikey WHERE prefix = %s", [key["prefix"]])
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT queue_place(%s), queue_place(%s)", [world.acme.job, uuid.uuid4()])
        assert cursor.fetchone() == (None, None)
        cursor.execute("SELECT queue_place(%s)", [world.bolt.job])
        assert cursor.fetchone()[0] >= 1


def test_every_guarded_table_is_among_these() -> None:
    assert set(TABLES) | {"tenants_tenant"} == set(tenant_tables())
