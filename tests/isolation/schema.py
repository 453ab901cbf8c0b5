"""What the checked-in OpenAPI schema says that requests may hold, and what answers hold."""

import functools
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.architecture.source import ROOT

Json = dict[str, Any]


@functools.cache
def document() -> Json:
    """All of it; another test holds it against the code."""
    read: Json = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text("utf-8"))
    return read


def operations() -> Iterator[tuple[str, str, Json]]:
    """(method, path, operation) of all."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def operation_at(method: str, address: str) -> Json:
    """The operation that answers this request; raises LookupError where the schema has none."""
    asked = address.partition("?")[0]
    found = [
        (path.count("{"), operation)
        for name, path, operation in operations()
        if name == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), asked)
    ]
    if not found:
        raise LookupError(f"{method} {asked} is not in the schema")
    # `invitations/accept` before `invitations/{invitation_id}`.
    return min(found, key=lambda one: one[0])[1]


def request_schemas(operation: Json) -> list[Json]:
    """Of each body that the operation takes."""
    content = operation.get("requestBody", {}).get("content", {})
    return [resolved(media["schema"]) for media in content.values()]


def resolved(schema: Json) -> Json:
    """The schema that a reference, or an `allOf` of one, leads to."""
    if "$ref" in schema:
        return resolved(document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if len(schema.get("allOf", ())) == 1:
        return resolved(schema["allOf"][0])
    return schema


def properties(schema: Json) -> Iterator[tuple[str, Json]]:
    """(name, schema) of each property, at any depth."""
    schema = resolved(schema)
    for name, inner in schema.get("properties", {}).items():
        yield name, resolved(inner)
        yield from properties(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from properties(schema[key])


def answered() -> dict[str, Json]:
    """Every property that some answer has, by name."""
    found: dict[str, Json] = {}
    for _, _, operation in operations():
        for response in operation["responses"].values():
            for media in response.get("content", {}).values():
                found |= dict(properties(media["schema"]))
    return found
