"""Every POST and PATCH of the schema, as a request of Acme's owner for her own things that would be granted."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.isolation.rows import ROWS
from tests.isolation.schema import operation_at, request_schemas, resolved
from tests.isolation.world import Holdings, World

# What predictions are answered in a process that does not serve them.
ELSEWHERE = "prediction_unavailable"
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Write:
    method: str
    address: str
    body: Any
    schema: dict[str, Any]  # of the body

    def send(self, world: World, content: str | bytes, content_type: str = "application/json") -> Any:
        """The answer to Acme's owner, who sends this instead of the body."""
        call: Callable[..., Any] = getattr(world.cast.alice.api, self.method.lower())
        return call(self.address, content, content_type=content_type)

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


def broke(answer: Any) -> bool:
    """Whether the fault is ours."""
    return answer.status_code >= 500 and answer.json()["code"] != ELSEWHERE


def json_writes(own: Holdings) -> Iterator[Write]:
    """Those that take JSON, once each."""
    seen = set()
    for row in ROWS:
        if row.method not in ("POST", "PATCH") or row.file:
            continue
        method, address, body = row.request(named=own, own=own)
        operation = operation_at(method, address)
        if operation["operationId"] not in seen:
            seen.add(operation["operationId"])
            schemas = [schema for schema in request_schemas(operation) if "file" not in schema.get("properties", {})]
            objects = [schema for schema in schemas if "properties" in schema]
            yield Write(method, address, body or {}, objects[0] if objects else {})


def text_places(body: Any, schema: dict[str, Any], at: Path = ()) -> Iterator[Path]:
    """Where the body has, or could have, a free text: keys and indexes from its top."""
    schema = resolved(schema)
    if schema.get("type") == "string" and "enum" not in schema:
        yield at
    elif schema.get("type") == "array" and isinstance(body, list):
        yield from text_places(body[0] if body else None, schema["items"], (*at, 0))
    elif "properties" in schema and isinstance(body, dict):
        for name, inner in schema["properties"].items():
            yield from text_places(body.get(name), inner, (*at, name))
    elif schema.get("type") == "object":
        yield (*at, "note")  # free metadata


def with_text(body: Any, place: Path, text: Any) -> Any:
    """A copy of the body with `text` there."""
    made = json.loads(json.dumps(body))
    if not place:
        return text
    inner = made
    for key, following in pairwise(place):
        missing: Any = [] if isinstance(following, int) else {}
        if isinstance(inner, dict):
            inner = inner.setdefault(key, missing)
        else:
            inner.extend([missing] * (not inner))
            inner = inner[0]
    if isinstance(inner, list):
        inner[:1] = [text]
    else:
        inner[place[-1]] = text
    return made
