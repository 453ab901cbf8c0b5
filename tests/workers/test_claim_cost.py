"""What a claim looks at: the next job, not the backlog, the history, or the other tenants."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2 import extensions

from tests.workers.queues import FILL, Works, fill

BACKLOG = 20_000
# Plans as JSON, with what each step really read, of the statements inside functions too.
EXPLAIN = (
    "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
    " SET auto_explain.log_analyze = on; SET auto_explain.log_format = json; SET client_min_messages = log"
)
QUIET = "SET client_min_messages = warning"
CLAIM = "SELECT claim_job('cpu', false, 30)"
CLAIM_SHORT = "SELECT claim_job('cpu', true, 30)"
REAP = "SELECT reap_job('{}')"
LOAD = "SELECT * FROM pool_load('cpu')"
OTHERS = """
INSERT INTO tenants_tenant (id, name, slug, created_at)
SELECT uuidv7(), 'Works', 'works-' || n, now() FROM generate_series(1, 1000) n;
INSERT INTO tenants_tenantqueue (id, tenant_id, pool, virtual_time, weight, running_cap, running, waiting)
SELECT uuidv7(), id, 'cpu', 0, 1, 4, 0, 2 FROM tenants_tenant WHERE slug NOT LIKE 'works-%-%';
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, attempts, max_attempts, token,
                         worker, traceback, created_at, due_at)
SELECT uuidv7(), id, 'work', n::text, 'cpu', 'SHORT', 'PENDING', '{}', '{}', 0, 5, 0, '', '', now(), now()
  FROM tenants_tenant, generate_series(1, 2) n WHERE slug NOT LIKE 'works-%-%'
"""
GENERIC = 8  # executions after which PostgreSQL has settled on a plan it keeps


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


def _steps(superuser: extensions.connection, sql: str) -> list[dict[str, Any]]:
    """Every step of every statement that `sql`, a function's call, runs; after its plans have settled."""
    with superuser.cursor() as cursor:
        for _ in range(GENERIC):
            cursor.execute(sql)
        cursor.execute(EXPLAIN)
        superuser.notices.clear()
        cursor.execute(sql)
        texts = [notice.split("plan:", 1)[1] for notice in superuser.notices if "plan:" in notice]
        cursor.execute(QUIET)
    assert texts
    return [node for text in texts for node in _nodes(json.loads(text)["Plan"])]


def _assert_cheap(superuser: extensions.connection, sql: str) -> None:
    reads = [node for node in _steps(superuser, sql) if "Scan" in node["Node Type"] and "Relation Name" in node]
    assert any(node["Relation Name"] == "tenants_job" for node in reads)
    for node in reads:
        looked_at = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
        assert looked_at <= 20, f"{sql}: {looked_at} rows of {node['Relation Name']} by {node['Node Type']}"
        assert node["Node Type"].startswith("Index"), node


@pytest.fixture
def crowd(database: str, acme: Works, superuser: extensions.connection) -> Works:
    """A tenant with a long backlog and a long history, among a thousand others."""
    with superuser.cursor() as cursor:
        cursor.execute("INSERT INTO tenants_pool VALUES ('cpu', 0, 1, 2)")
        # As a dispatcher that was connected before there was any work.
        for sql in (CLAIM, CLAIM_SHORT, REAP, LOAD):
            for _ in range(GENERIC):
                cursor.execute(sql)
        cursor.execute(FILL, [str(acme.id), "SHORT", "SUCCEEDED", BACKLOG])
        cursor.execute(FILL, [str(acme.id), "LONG", "SUCCEEDED", BACKLOG])
        fill(superuser, acme, BACKLOG)
        fill(superuser, acme, BACKLOG, lane="LONG")
        cursor.execute(OTHERS)
        cursor.execute("UPDATE tenants_tenantqueue SET running_cap = 100000")
        # So that the one with the backlog is served next, and next again.
        cursor.execute("UPDATE tenants_tenantqueue SET virtual_time = 1e6 WHERE tenant_id <> %s", [str(acme.id)])
    return acme


@pytest.mark.parametrize("sql", [CLAIM, CLAIM_SHORT])
def test_a_claim_reads_a_handful_of_rows(crowd: Works, superuser: extensions.connection, sql: str) -> None:
    _assert_cheap(superuser, sql)  # by the plans of the empty tables
    with superuser.cursor() as cursor:
        cursor.execute("DISCARD PLANS")
    _assert_cheap(superuser, sql)  # without statistics
    with superuser.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE tenants_job")
        cursor.execute("VACUUM ANALYZE tenants_tenantqueue")
    _assert_cheap(superuser, sql)


def test_reaping_and_counting_what_runs_read_no_backlog(crowd: Works, superuser: extensions.connection) -> None:
    with superuser.cursor() as cursor:
        for _ in range(12):
            cursor.execute(CLAIM)
    _assert_cheap(superuser, LOAD)
    with superuser.cursor() as cursor:
        cursor.execute("UPDATE tenants_job SET expires_at = now() - interval '1 s' WHERE state = 'DISPATCHED'")
        cursor.execute("VACUUM ANALYZE tenants_job")
    _assert_cheap(superuser, REAP)
    _assert_cheap(superuser, LOAD)
