"""From the JSON that the server answers to frozen dataclasses.

A newer server may add fields, states and codes: fields that are not known here are ignored (and kept in
`raw`), choice values stay plain strings.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from myriad.errors import UnexpectedAnswer

_Reader = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One object as the server described it; `raw` is the whole of it, fields unknown here included."""

    # Neither is shown: a new key's document holds its secret.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    request_id: str = field(default="", repr=False, compare=False)

    @classmethod
    def from_json(cls, document: Any, request_id: str = "") -> Self:
        """Read one object; raise `UnexpectedAnswer` if it is no object or lacks a field that must be there."""
        if not isinstance(document, Mapping):
            raise _unreadable(cls.__name__, "is not a JSON object", request_id)
        values: dict[str, Any] = {"raw": document, "request_id": request_id}
        for name, read, has_default, may_be_null in _fields(cls):
            value = document.get(name)
            if value is None and not (may_be_null and name in document):
                if not has_default:
                    raise _unreadable(cls.__name__, f"lacks {name!r}", request_id)
                continue
            try:
                values[name] = None if value is None else read(value)
            except (TypeError, ValueError, AttributeError):
                raise _unreadable(cls.__name__, f"has a {name!r} of another kind", request_id) from None
        return cls(**values)


def _unreadable(kind: str, what: str, request_id: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"The server's answer ({kind}) {what}.",
        hint="Check that MYRIAD_URL is right, and update the myriad package.",
        request_id=request_id,
    )


_Field = tuple[str, _Reader, bool, bool]
_fields_of: dict[type[Answer], tuple[_Field, ...]] = {}  # worked out once a class: a list has 500 items a page


def _fields(kind: type[Answer]) -> tuple[_Field, ...]:
    """Give, for each field of the answer: name, reader, whether it has a default, whether it may be null."""
    if kind in _fields_of:
        return _fields_of[kind]
    hints = typing.get_type_hints(kind)
    found = []
    for entry in dataclasses.fields(kind):
        if entry.name in ("raw", "request_id"):
            continue
        has_default = entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING
        arms = typing.get_args(hints[entry.name]) if _is_union(hints[entry.name]) else (hints[entry.name],)
        solid = [arm for arm in arms if arm is not types.NoneType]
        found.append((entry.name, _reader(solid[0]), has_default, len(solid) < len(arms)))
    _fields_of[kind] = tuple(found)
    return _fields_of[kind]


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (types.UnionType, typing.Union)


def _reader(hint: Any) -> _Reader:
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Answer):
        return hint.from_json
    origin = typing.get_origin(hint)
    if origin is tuple:
        read = _reader(typing.get_args(hint)[0])
        return lambda values: tuple(read(value) for value in values)
    if origin is not None:  # Mapping[str, …]
        return dict
    return _as_kind(hint)


def _as_kind(hint: Any) -> _Reader:
    if hint is Any:
        return lambda value: value
    # A whole number is a float too; bool is an int to Python, but a count is never a bool.
    accepted = (int, float) if hint is float else (hint,)

    def read(value: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
            raise TypeError(hint)
        return value

    return read
