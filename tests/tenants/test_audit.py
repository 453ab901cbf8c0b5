"""The audit log: written with what it records, and never changed, by no role."""

import os
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connection
from psycopg2 import errors

from tenants import audit
from tenants.ids import uuid7
from tenants.models import AuditEvent
from tenants.scope import NoScope, tenant_scope
from tenants.tracing import request_id
from tests.cast import Cast
from tests.tenants.rolled_back import rolled_back

ROLES = {
    "the server": "DATABASE_URL",
    "the owner": "DATABASE_OWNER_URL",
    "maintenance": "DATABASE_MAINT_URL",
    "the superuser": "DATABASE_ADMIN_URL",
}
CHANGES = {
    "update": "UPDATE tenants_auditevent SET action = 'nothing.happened'",
    "delete": "DELETE FROM tenants_auditevent",
    "truncate": "TRUNCATE tenants_auditevent",
    "upsert": "INSERT INTO tenants_auditevent SELECT * FROM tenants_auditevent"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET action = 'nothing.happened'",
    "merge": "MERGE INTO tenants_auditevent t USING tenants_tenant s ON t.tenant_id = s.id WHEN MATCHED THEN DELETE",
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("change", CHANGES)
def test_no_role_changes_a_line(role: str, change: str, standing: str, standing_cast: Cast) -> None:
    address = urlsplit(os.environ[ROLES[role]])._replace(path=f"/{standing}").geturl()
    with closing(psycopg2.connect(address)) as session, session.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(standing_cast.alice.tenant.id)])
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(CHANGES[change])

    with tenant_scope(standing_cast.alice.tenant.id):
        assert AuditEvent.objects.count() > 0
        assert not AuditEvent.objects.filter(action="nothing.happened").exists()


def test_a_line_says_who_did_what(standing_cast: Cast) -> None:
    alice, target, operator = standing_cast.alice.principal, uuid7(), uuid7()
    with rolled_back(alice.tenant_id):
        audit.record("thing.made", by=alice, target=target, name="A thing", size=3)
        audit.record("thing.swept", by=None)
        audit.record("thing.blessed", by=None, operator=operator)
        lines = {line.action: line for line in AuditEvent.objects.filter(action__startswith="thing.")}

    made = lines["thing.made"]
    assert (made.actor_kind, made.actor_id, made.target_id) == ("key", alice.key_id, target)
    assert made.detail == {"name": "A thing", "size": 3}
    assert (lines["thing.swept"].actor_kind, lines["thing.swept"].actor_id) == ("system", None)
    assert (lines["thing.blessed"].actor_kind, lines["thing.blessed"].actor_id) == ("operator", operator)


def test_a_line_stands_and_falls_with_what_it_records(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        audit.record("thing.made", by=standing_cast.alice.principal)

    with tenant_scope(standing_cast.alice.tenant.id):
        assert not AuditEvent.objects.filter(action="thing.made").exists()


def test_a_line_needs_a_tenant(standing_cast: Cast) -> None:
    with pytest.raises(NoScope):
        audit.record("thing.made", by=None)


def test_a_line_carries_the_id_of_its_request(cast: Cast) -> None:
    given = {"name": "Casings", "kind": "DETECTION"}
    answer = cast.alice.api.post("/api/v1/projects", given, format="json", HTTP_X_REQUEST_ID="req-42")

    line = cast.alice.api.get("/api/v1/audit").json()["results"][0]
    assert (line["action"], line["target_id"], line["request_id"]) == ("project.created", answer.json()["id"], "req-42")
    assert request_id.get() == "", "nothing of a request outlives it"


def test_only_admins_read_the_log_and_only_their_tenants(standing_cast: Cast) -> None:
    assert standing_cast.bob.api.get("/api/v1/audit").status_code == 403
    acme = standing_cast.alice.api.get("/api/v1/audit").json()["results"]
    bolt = standing_cast.charlie.api.get("/api/v1/audit").json()["results"]

    assert not {line["id"] for line in acme} & {line["id"] for line in bolt}
    assert {line["action"] for line in bolt} >= {"tenant.created", "member.joined", "key.created"}


def test_the_server_may_add_and_read_and_no_more(standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.alice.tenant.id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT privilege_type FROM information_schema.role_table_grants"
            " WHERE table_name = 'tenants_auditevent' AND grantee = 'myriad_app'"
        )
        assert {right for (right,) in cursor.fetchall()} == {"SELECT", "INSERT"}
