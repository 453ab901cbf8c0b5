"""Every statement names the tenant (so Citus could route it), and none sets it for longer than a transaction."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from projects.domain.ingest import INGEST
from projects.models import Image
from tenants.domain.invitations import invite
from tenants.models import Role
from tenants.scope import tenant_scope
from tests.cast import PASSWORD
from tests.isolation.observing import ask
from tests.isolation.rows import ROWS, Row
from tests.isolation.working import dispatched, done
from tests.isolation.world import World, tenant_tables

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = re.compile(r'"?\b(' + "|".join(tenant_tables()) + r')\b"?')
SERVER = ("config", "tenants", "projects", "training", "fleet", "workers")


@contextmanager
def statements() -> Iterator[list[str]]:
    """What this thread sends to the database."""
    sent: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        sent.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield sent


def unbound(sql: str) -> list[str]:
    """The tenants' tables that a statement touches without naming a tenant of theirs."""
    touched = set(TABLES.findall(sql))
    return sorted(table for table in touched if not _names_tenant(sql, table))


def _names_tenant(sql: str, table: str) -> bool:
    column = tenant_tables()[table]
    if sql.startswith(f'INSERT INTO "{table}"'):
        return f'"{column}"' in sql
    # Under its own name, or under the aliases that Django gives it in sub-queries.
    names = set(re.findall(rf'"{table}" (U\d+)', sql)) | ({table} if f'"{table}".' in sql else set())
    bound = r'"?{0}"?\."{1}" = |= \(?"?{0}"?\."{1}"'
    return bool(names) and all(re.search(bound.format(name, column), sql) for name in names)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_statement_of_a_request_names_its_tenant(row: Row, world: World) -> None:
    with statements() as sent:
        answer = ask(world.cast.alice.api, *row.request(named=world.acme, own=world.acme))
    assert answer.status == row.owner
    assert [sql for sql in sent if TABLES.search(sql)]
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}
    _only_scopes_set_the_tenant(sent)


def test_every_statement_of_a_job_names_its_tenant(world: World, restocked: None) -> None:
    spec = {"project": str(world.acme.project), "images": [str(world.acme.arrived)]}
    job_id = dispatched(INGEST, world.acme, spec)
    with tenant_scope(world.acme.tenant):
        Image.objects.filter(id=world.acme.arrived).update(job_id=job_id)
    with statements() as sent:
        assert done(job_id, world.acme).result == {"ready": 1, "failed": 0}
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}
    _only_scopes_set_the_tenant(sent)


def test_every_statement_of_an_invitation_names_its_tenant(world: World) -> None:
    with tenant_scope(world.acme.tenant):
        _, token = invite(email="charlie@bolt.example", role=Role.VIEWER, by=world.cast.alice.principal)
    with statements() as sent:
        body = {"token": token.text, "name": "Charlie", "password": PASSWORD}
        assert ask(world.cast.anonymous, "POST", "/api/v1/invitations/accept", body).status == 201
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}
    _only_scopes_set_the_tenant(sent)


# Of the transaction that notes when a key was used, once a minute (tenants.domain.keys).
NOT_FLUSHED = "SET LOCAL synchronous_commit TO off"


def _only_scopes_set_the_tenant(sent: list[str]) -> None:
    setting = [sql for sql in sent if re.match(r"\s*(SET|RESET|DISCARD)\b", sql, re.IGNORECASE) or "set_config" in sql]
    hurried = {sql for sql in setting if not sql.startswith(NOT_FLUSHED)}
    assert hurried == {"SELECT set_config('app.tenant_id', %s, true)"}


@pytest.mark.parametrize(
    ("sql", "lacking"),
    [
        ('SELECT * FROM "projects_image"', ["projects_image"]),
        ('SELECT * FROM "projects_image" WHERE "projects_image"."tenant_id" = %s', []),
        ('DELETE FROM "projects_image" WHERE "projects_image"."id" IN (%s)', ["projects_image"]),
        (
            (
                'SELECT * FROM "projects_image" JOIN "projects_project" ON "projects_project"."id" = "projects_image"'
                '."project_id" WHERE "projects_image"."tenant_id" = %s'
            ),
            ["projects_project"],
        ),
        ('SELECT 1 FROM "projects_image" U0 WHERE U0."id" = %s', ["projects_image"]),
        ('INSERT INTO "projects_project" ("id", "name") VALUES (%s)', ["projects_project"]),
    ],
)
def test_the_search_finds_a_statement_without_tenant(sql: str, lacking: list[str]) -> None:
    assert unbound(sql) == lacking


def test_one_place_of_the_source_sets_the_tenant() -> None:
    """And it does so for the length of a transaction."""
    calls = {
        str(path.relative_to(ROOT)): set(re.findall(r"set_config\(.*?\)", path.read_text(encoding="utf-8")))
        for folder in SERVER
        for path in (ROOT / folder).rglob("*.py")
    }
    (found,) = (found for name, found in calls.items() if name == "tenants/scope.py")
    assert {name for name, found in calls.items() if found} == {"tenants/scope.py"}
    assert all(call.endswith(", true)") for call in found)
