"""The OpenAPI schema: generated without a warning, checked in, complete."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tenants.api.views import TenantView
from tests.architecture.source import ROOT

CHECKED_IN = ROOT / "docs" / "openapi.yaml"
HOW = "manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"
PUBLIC = {("/api/v1/invitations/accept", "post")}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(path))
    return path


@pytest.fixture(scope="module")
def schema(generated: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(generated.read_text())
    return loaded


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def routes(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield address, pattern.callback
        else:
            yield from routes(pattern, address)


def test_the_one_checked_in_is_the_one_of_the_code(generated: Path) -> None:
    assert CHECKED_IN.read_text() == generated.read_text(), f"run {HOW}"


def test_every_route_of_the_api_and_each_of_its_methods_is_in_it(schema: dict[str, Any]) -> None:
    there = set()
    for address, view in routes(get_resolver()):
        cls = getattr(view, "cls", None)
        if address.startswith("/api/v1/") and address not in ("/api/v1/schema", "/api/v1/docs"):
            path = address.replace("<uuid:", "{").replace(">", "}")
            assert cls is not None, f"{address} is not a view of the API"
            there |= {(path, method) for method in cls.http_method_names if hasattr(cls, method)} - {(path, "options")}

    assert {(path, method) for path, method, _ in operations(schema)} == there
    assert len(there) > 30


def test_each_operation_has_a_name_and_a_description(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(schema)]

    assert len(set(names)) == len(names)
    assert [path for path, _, operation in operations(schema) if not operation.get("summary")] == []
    assert [path for path, _, operation in operations(schema) if len(operation.get("description", "")) < 10] == []


def test_each_operation_asks_for_a_key_but_the_public_ones(schema: dict[str, Any]) -> None:
    keyless = {(path, method) for path, method, operation in operations(schema) if not operation.get("security")}

    assert keyless == PUBLIC


def test_each_operation_tells_of_problems(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        named = {status: operation["responses"][status]["$ref"].rpartition("/")[2] for status in ("default", "429")}
        assert named == {"default": "Problem", "429": "RateLimited"}, (path, method)
    for name in ("Problem", "RateLimited", "PreconditionFailed"):
        content = schema["components"]["responses"][name]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_each_answer_tells_its_headers(schema: dict[str, Any]) -> None:
    there = schema["components"]["headers"].keys()
    for path, method, operation in operations(schema):
        for status, response in operation["responses"].items():
            shared = schema["components"]["responses"].get(response.get("$ref", "").rpartition("/")[2])
            told = set((shared or response)["headers"])
            assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-Id"} <= told <= there
            assert ("Location" in told) is (status in ("202", "302")), (path, method, status)
            assert ("Retry-After" in told) is (status == "429")


def test_what_two_people_edit_has_a_tag(schema: dict[str, Any]) -> None:
    tagged = set()
    for path, method, operation in operations(schema):
        headers = {given["name"] for given in operation.get("parameters", []) if given["in"] == "header"}
        responses = operation["responses"]
        if "ETag" in responses.get("200", {}).get("headers", {}):
            tagged.add((path, method))
        assert ("If-None-Match" in headers) is ("304" in responses)
        assert ("If-Match" in headers) is ("412" in responses)
        assert not {"If-Match", "If-None-Match"} <= headers

    for kind in ("projects", "classes", "images", "members"):
        path = next(path for path, _ in tagged if path.startswith(f"/api/v1/{kind}/") and path.endswith("_id}"))
        assert schema["paths"][path].keys() == {"get", "patch", "delete"}
        assert "304" in schema["paths"][path]["get"]["responses"]
        assert all("412" in schema["paths"][path][way]["responses"] for way in ("patch", "delete"))
    assert ("/api/v1/images/{image_id}/annotations", "get") in tagged


def test_each_post_with_a_key_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        headers = {given["name"] for given in operation.get("parameters", []) if given["in"] == "header"}
        takes = method == "post" and (path, method) not in PUBLIC
        assert ("Idempotency-Key" in headers) is takes, (path, method)


def test_each_list_is_paginated(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        if operation["operationId"].endswith("_list"):
            given = {parameter["name"] for parameter in operation["parameters"]}
            assert given >= {"limit", "cursor"}, (path, method)


def test_what_is_secret_is_in_no_list_or_detail(schema: dict[str, Any]) -> None:
    """Only the answers that make a key or an invitation show a secret."""
    components = schema["components"]["schemas"]
    with_secret = {name for name, each in components.items() if {"secret", "token"} & each.get("properties", {}).keys()}

    assert with_secret == {"NewKey", "NewInvitation", "AcceptInput"}
    hidden = {"secret_hash", "token_hash", "password", "traceback", "tenant_id", "spec"}
    told = {field for name, each in components.items() if name != "AcceptInput" for field in each.get("properties", {})}
    assert not hidden & told


def test_anybody_may_read_it(database: str, client: Client) -> None:
    answer = client.get("/api/v1/schema")

    assert answer.status_code == 200
    assert "openapi" in answer.headers["Content-Type"]


def test_every_view_of_the_api_is_ours_and_says_what_it_needs() -> None:
    for address, view in routes(get_resolver()):
        cls = getattr(view, "cls", None)
        if cls is not None and issubclass(cls, TenantView):
            methods = {method.upper() for method in cls.http_method_names if hasattr(cls, method)}
            assert cls.needs.keys() >= methods, address


def test_anybody_may_read_the_page_that_shows_it(database: str, client: Client) -> None:
    """Under the policy that no inline script or style passes, and from our own files alone."""
    answer = client.get("/api/v1/docs")
    page = answer.content.decode()

    assert answer.status_code == 200
    assert 'data-schema="/api/v1/schema"' in page
    assert not re.search(r"<style|style=|<script(?![^>]* src=)|\son\w+=", page)
    sources = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert [source for source in sources if not source.startswith(("/", "#"))] == []
    assert {"docs.css", "docs.js"} <= {re.sub(r"\.[0-9a-f]{12}", "", source.rpartition("/")[2]) for source in sources}
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy


def test_what_is_shown_once_may_be_missing_from_a_repeated_answer(schema: dict[str, Any]) -> None:
    for component, field in (("NewKey", "secret"), ("NewInvitation", "token")):
        assert schema["components"]["schemas"][component]["properties"][field]["nullable"], component


def test_a_file_in_a_form_is_bytes_and_no_address(schema: dict[str, Any]) -> None:
    """As drf-spectacular would have it of a plain FileField."""
    for component in ("DirectUploadInput", "PictureInput"):
        assert schema["components"]["schemas"][component]["properties"]["file"]["format"] == "binary", component
