"""What a request's body says of tenant, id, status and the like is not read, at any depth."""

import json
from typing import Any

import pytest

from tests.isolation.observing import ask
from tests.isolation.rows import ROWS, Row
from tests.isolation.world import Holdings, World, all_rows, state_of, tenant_models

NUMBER, TEXT, DATE = 987_654_321, "poisoned", "2001-02-03T04:05:06Z"
POISON_ID = "00000000-0000-7000-8000-00000000dead"
WRITES = [row for row in ROWS if row.method in ("POST", "PATCH") and not row.file and row.stranger == 404]


def poison(world: World) -> dict[str, Any]:
    """Fields of our models, and what attackers try, with values that can be found again."""
    acme = world.acme
    numbers = ("image_count", "images_used", "images_limit", "width", "height", "attempts", "token", "max_attempts")
    texts = (
        "stored_sha256",
        "secret_hash",
        "token_hash",
        "prefix",
        "near_hash",
        "multipart_id",
        "slug",
        "pool",
        "worker",
    )
    dates = ("created_at", "deleted_at", "removed_at", "revoked_at", "accepted_at", "last_used_at", "finished_at", "at")
    theirs = {
        "tenant": acme.tenant,
        "tenant_id": acme.tenant,
        "owner": acme.member,
        "member": acme.member,
        "member_id": acme.member,
        "user": acme.member,
        "user_id": acme.member,
        "invited_by": acme.member,
        "project_id": acme.project,
        "image": acme.image,
        "job": acme.job,
        "job_id": acme.job,
        "key": acme.key,
        "defect_class": acme.label,
        "image_id": acme.image,
        "snapshot": acme.image,
        "actor_id": acme.member,
    }
    return {
        **{name: str(value) for name, value in theirs.items()},
        **dict.fromkeys(numbers, NUMBER),
        **dict.fromkeys(texts, TEXT),
        **dict.fromkeys(dates, DATE),
        "id": POISON_ID,
        "pk": POISON_ID,
        "status": "READY",
        "state": "SUCCEEDED",
        "is_operator": True,
        "split_pinned": True,
        "error": {"code": TEXT},
        "result": {"code": TEXT},
        "__class__": TEXT,
        "_state": TEXT,
    }


def poisoned(body: Any, poisons: dict[str, Any]) -> Any:
    """The body with the poisons beside its own fields, in nested objects too."""
    if isinstance(body, dict):
        return poisons | {name: poisoned(value, poisons) for name, value in body.items() if name != "metadata"}
    if isinstance(body, list):
        return [poisoned(value, poisons) for value in body]
    return body


def held(holdings: Holdings) -> dict[str, list[str]]:
    """All of a tenant's rows but audit lines, table by table."""
    tables = [model._meta.db_table for model in tenant_models()]
    return {table: [json.dumps(row, default=str) for row in all_rows(table, holdings.tenant)] for table in tables}


@pytest.mark.parametrize("row", WRITES, ids=str)
def test_a_body_sets_what_is_its_to_set(row: Row, world: World) -> None:
    """Charlie poisons a request of his own: it does what it does without the poison, and nothing more."""
    poisons = poison(world)
    acmes, before = state_of(world.acme.tenant), held(world.bolt)
    method, address, body = row.request(named=world.bolt, own=world.bolt)
    answer = ask(
        world.cast.charlie.api, method, f"{address}?tenant_id={world.acme.tenant}", poisoned(body or {}, poisons)
    )
    assert answer.status == row.owner, answer.text
    assert state_of(world.acme.tenant) == acmes
    written = "\n".join(
        line for table, lines in held(world.bolt).items() for line in lines if line not in before[table]
    )
    found = [mark for mark in (*world.marks, POISON_ID, TEXT, str(NUMBER), "2001-02-03") if mark in written]
    assert found == []
    assert written.count('"status": "READY"') == sum(
        str(world.bolt.image) in line for line in written.splitlines() if '"sha256"' in line
    )
    assert '"state": "SUCCEEDED"' not in written


@pytest.mark.parametrize("header", ["X-Tenant", "X-Tenant-Id", "X-Forwarded-User", "Tenant", "X-Myriad-Tenant"])
def test_no_header_names_the_tenant(header: str, world: World) -> None:
    headers: dict[str, Any] = {f"HTTP_{header.upper().replace('-', '_')}": str(world.acme.tenant)}
    api = world.cast.charlie.api
    assert api.get("/api/v1/me", **headers).json()["tenant"]["id"] == str(world.bolt.tenant)
    assert api.get(f"/api/v1/projects/{world.acme.project}", **headers).status_code == 404


@pytest.mark.parametrize("name", ["tenant", "tenant_id", "project__tenant_id", "id", "deleted_at", "limit__gt"])
def test_no_parameter_names_the_tenant(name: str, world: World) -> None:
    api, project = world.cast.charlie.api, f"/api/v1/projects/{world.bolt.project}"
    for address in ("/api/v1/projects", "/api/v1/jobs", "/api/v1/members", f"{project}/classes"):
        answer = api.get(address, {name: str(world.acme.tenant)})
        assert answer.json()["results"] == api.get(address).json()["results"]
    assert api.get(f"{project}/images", {name: str(world.acme.tenant)}).status_code == 400
