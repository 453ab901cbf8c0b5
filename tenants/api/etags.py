"""ETags: so that of two people who edit the same thing, the second does not undo the first unseen.

A tag has two parts: a hash of what people edit, and one of what goes on by itself (a serializer's `drifts`: counters,
the state of an upload). If-None-Match asks for both, so that a copy is never stale; If-Match for the first alone, or
nobody could change the name of a project while images arrive.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.utils.http import parse_etags
from rest_framework.utils.encoders import JSONEncoder

from tenants.refusals import Expectation, Refusal


class PreconditionFailed(Refusal):
    status = 412
    code = "precondition_failed"
    title = "It was changed meanwhile"

    def __init__(self) -> None:
        super().__init__(
            "What you have read is no longer what is there; nothing was changed.",
            hint="Read it again (GET), repeat the change on what is there, and send its new ETag as If-Match.",
        )


def etag_of(data: Mapping[str, Any], *, serializer: Any) -> str:
    """The strong tag of a representation, as `serializer` (a class) made it."""
    drifts = getattr(serializer, "drifts", ())
    edited = {name: value for name, value in data.items() if name not in drifts}
    drifting = {name: value for name, value in data.items() if name in drifts}
    return f'"{_hash(edited)}.{_hash(drifting)}"' if drifts else f'"{_hash(edited)}"'


def is_known(tag: str, *, if_none_match: str | None) -> bool:
    """Whether the client has this very representation."""
    given = parse_etags(if_none_match or "")
    return "*" in given or tag in [one.removeprefix("W/") for one in given]


def expectation(if_match: str | None, *, serializer: Any) -> Expectation | None:
    """What If-Match asks of a row; None where it asks nothing, or only that there is one.

    What it gives raises PreconditionFailed.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    given = {_edited(tag) for tag in parse_etags(if_match) if not tag.startswith("W/")}

    def expect(row: Any) -> None:
        if _edited(etag_of(serializer(row).data, serializer=serializer)) not in given:
            raise PreconditionFailed

    return expect


def _edited(tag: str) -> str:
    return tag.strip('"').partition(".")[0]


def _hash(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, cls=JSONEncoder, sort_keys=True).encode()).hexdigest()[:32]
