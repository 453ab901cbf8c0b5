"""What a request's body says of tenant, id, status and the like is not read, at any depth.

Driven by the schema: every POST and PATCH in it is asked for, with every field in it that some answer has, and with
fields of our tables beside. The rows that stand afterwards are those that the same request leaves without all that.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.isolation.conftest import Furnished, _put_back
from tests.isolation.observing import Answer, ask
from tests.isolation.rows import PUBLIC, ROWS, Row
from tests.isolation.schema import answered, operation_at, operations, request_schemas, resolved
from tests.isolation.world import Holdings, World, all_rows, state_of, tenant_models

NUMBER, TEXT, DATE = 987_654_321, "poisoned", "2001-02-03T04:05:06Z"
POISON_ID = "00000000-0000-7000-8000-00000000dead"
WRITES = [row for row in ROWS if row.method in ("POST", "PATCH") and row.stranger == 404]
NOWHERE = Holdings.nowhere()
# Drawn anew for each request.
DRAWN = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|20\d\d-\d\d-\d\d[T ][\d:.+]+", re.IGNORECASE)


def operation_of(row: Row) -> dict[str, Any]:
    method, address, _ = row.request(named=NOWHERE, own=NOWHERE)
    return operation_at(method, address)


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
        **{name: like(schema, acme) for name, schema in answered().items()},
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


def like(schema: dict[str, Any], acme: Holdings) -> Any:
    """A value of the schema's type that can be found again."""
    if "enum" in schema:
        return schema["enum"][-1]
    texts = {"uuid": str(acme.project), "date-time": DATE}
    kinds = {"integer": NUMBER, "number": NUMBER, "boolean": True, "array": [TEXT], "object": {"code": TEXT}}
    kind: str = schema.get("type", "string")
    return texts.get(schema.get("format", ""), TEXT) if kind == "string" else kinds[kind]


def poisoned(body: Any, schema: dict[str, Any], poisons: dict[str, Any]) -> Any:
    """The body with the poisons beside what the schema takes there, in nested objects too."""
    schema = resolved(schema)
    if isinstance(body, dict) and (schema.get("properties") or not schema):
        taken = schema.get("properties", {})
        inner = {name: poisoned(value, taken.get(name, {}), poisons) for name, value in body.items()}
        return {name: value for name, value in poisons.items() if name not in taken} | inner
    if isinstance(body, list):
        return [poisoned(value, schema.get("items", {}), poisons) for value in body]
    return body


def poisoned_form(body: dict[str, Any], schema: dict[str, Any], poisons: dict[str, Any]) -> dict[str, Any]:
    """The same for a form, whose fields are texts."""
    more = {name: value for name, value in poisons.items() if name not in schema["properties"]}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in more.items()} | body


def held(holdings: Holdings) -> dict[str, list[str]]:
    """All of a tenant's rows, table by table."""
    tables = [model._meta.db_table for model in tenant_models()]
    return {table: [json.dumps(row, default=str) for row in all_rows(table, holdings.tenant)] for table in tables}


def left(holdings: Holdings) -> dict[str, list[str]]:
    """The same without what is drawn anew each time, but for the ids of the tenant's furniture."""
    known = {value: f"<{name}>" for name, value in holdings.places() if ":" not in name}
    return {
        table: sorted(DRAWN.sub(lambda match: known.get(match[0], "<drawn>"), line) for line in lines)
        for table, lines in held(holdings).items()
    }


@pytest.fixture
def start_over(furnished: Furnished) -> Callable[[], None]:
    """Puts all rows back as they were furnished."""
    return lambda: _put_back(furnished.guarded)


def test_every_write_of_the_schema_is_tried() -> None:
    tried = {operation_of(row)["operationId"] for row in WRITES}
    public = {f"/{path}" for path in PUBLIC}
    writes = [(path, operation) for method, path, operation in operations() if method in ("POST", "PUT", "PATCH")]
    assert {operation["operationId"] for path, operation in writes if path not in public} == tried


@pytest.mark.parametrize("row", WRITES, ids=str)
def test_a_body_sets_what_is_its_to_set(row: Row, world: World, start_over: Callable[[], None]) -> None:
    """Charlie poisons a request of his own: it does what it does without the poison, and nothing more."""
    poisons = poison(world)
    acmes, before = state_of(world.acme.tenant), held(world.bolt)
    plain = request(row, world, {})
    assert plain.status == row.owner, plain.text
    expected = left(world.bolt)
    for dose in doses(poisons, row):
        start_over()
        answer = request(row, world, dose)
        assert answer.status == row.owner, answer.text
        assert left(world.bolt) == expected
        assert state_of(world.acme.tenant) == acmes
        written = "\n".join(
            line for table, lines in held(world.bolt).items() for line in lines if line not in before[table]
        )
        found = [mark for mark in (*world.marks, POISON_ID, TEXT, str(NUMBER), "2001-02-03") if mark in written]
        assert found == []


def doses(poisons: dict[str, Any], row: Row) -> list[dict[str, Any]]:
    """All at once, but for forms, of which the server takes no more than a hundred fields."""
    names = list(poisons)
    size = 90 if row.file else len(names)
    return [{name: poisons[name] for name in names[start : start + size]} for start in range(0, len(names), size)]


def request(row: Row, world: World, poisons: dict[str, Any]) -> Answer:
    """Charlie's request for his own things; with poisons, where there are any."""
    method, address, body = row.request(named=world.bolt, own=world.bolt)
    if poisons:
        schemas = request_schemas(operation_of(row))
        forms = [schema for schema in schemas if "file" in schema.get("properties", {})]
        objects = [schema for schema in schemas if schema not in forms and "properties" in schema] or [{}]
        poison_it = poisoned_form if row.file else poisoned
        body = poison_it(body or {}, (forms or objects)[0] if row.file else objects[0], poisons)
        address += f"?tenant_id={world.acme.tenant}"
    return ask(world.cast.charlie.api, method, address, body)


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
