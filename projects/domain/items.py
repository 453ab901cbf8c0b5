"""Reading one image's description from a request: what is wrong with it, in words, or a `NewImage`.

Written by hand, not as a serializer: a bulk registration reads 5,000 of these a second.
"""

import json
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from projects.domain.decoding import ACCEPTED_TYPES, TYPE_ALIASES
from projects.domain.splits import GROUP_KEYS
from projects.models import Image

# Bytes of one file. A 40-megapixel bitmap, the largest we decode, has 120 MB.
MAX_FILE_BYTES = 128 * 1024 * 1024
MAX_METADATA_BYTES = 8 * 1024
MAX_CLASSES = 50
# Characters.
MAX_FILENAME = 255
MAX_GROUP = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[\w.\- ]{1,64}")
# PostgreSQL takes no NUL, UTF-8 no lone surrogates, and a name with a line break would forge lines of a log.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SHORT = reprlib.Repr()
_SHORT.maxstring = 60
_METADATA_HINT = 'Give names and plain values, such as {"camera": "3", "shift": "night"}.'


class ItemRefused(Exception):
    """One item of a batch cannot be taken; the others go on."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "hint": hint}


@dataclass(frozen=True)
class NewImage:
    """One file as its owner describes it. `classes` are names or ids of the label book."""

    filename: str
    size: int
    sha256: str
    content_type: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    group: str = ""
    classes: tuple[str, ...] = ()


def parse_item(given: object) -> NewImage:
    """Raises ItemRefused with a code, a message that names the file, and a hint."""
    if not isinstance(given, dict):
        hint = "See the schema for what an item holds (GET /api/v1/schema)."
        raise ItemRefused("validation_failed", "An item must be a JSON object.", hint)
    filename = _filename(given.get("filename"))
    content_type = _content_type(filename, given.get("content_type"))
    sha256 = given.get("sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ItemRefused(
            "bad_sha256",
            f"{filename}: `sha256` must be the file's SHA-256 in 64 lower-case hexadecimal digits.",
            "Compute it over the file's bytes, for example with sha256sum.",
        )
    return NewImage(
        filename=filename,
        size=_size(filename, given.get("size")),
        sha256=sha256,
        content_type=content_type,
        metadata=parse_metadata(filename, given.get("metadata")),
        split=_split(filename, given.get("split")),
        group=_group(filename, given.get("group")),
        classes=_classes(filename, given.get("classes")),
    )


def parse_metadata(filename: str, given: object) -> dict[str, Any]:
    """Flat JSON of at most 8 KB, or ItemRefused."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ItemRefused("bad_metadata", f"{filename}: metadata must be a JSON object.", _METADATA_HINT)
    for name, value in given.items():
        if not _KEY.fullmatch(name):
            raise ItemRefused("bad_metadata", f"{filename}: {shown(name)} is not a name for metadata.", _METADATA_HINT)
        if not _is_plain(value):
            raise ItemRefused("bad_metadata", f"{filename}: metadata {name!r} is not a plain value.", _METADATA_HINT)
        if name in GROUP_KEYS and len(str(value)) > MAX_GROUP:
            raise ItemRefused(
                "bad_metadata",
                f"{filename}: metadata {name!r} names the image's group and is too long for that.",
                f"Give at most {MAX_GROUP} characters.",
            )
    if len(json.dumps(given, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise ItemRefused(
            "metadata_too_large",
            f"{filename}: metadata has more than {MAX_METADATA_BYTES} bytes.",
            "Keep what you filter or group by; leave the rest in your own system.",
        )
    return given


def shown(value: object) -> str:
    """A client's value as a message may quote it: short, printable, and however deep it is nested."""
    return _SHORT.repr(value)[:80]


def echoed(filename: object) -> str:
    """What a client sent as a filename, fit to be sent back: itself, or when it is unusable how it looks."""
    if is_filename(filename):
        return filename
    return shown(filename) if isinstance(filename, str) else ""


def is_filename(given: object) -> TypeGuard[str]:
    """Whether an image can have this name."""
    return isinstance(given, str) and 1 <= len(given) <= MAX_FILENAME and not _UNPRINTABLE.search(given)


def _filename(given: object) -> str:
    if not is_filename(given):
        raise ItemRefused(
            "bad_filename",
            f"{shown(given)} is not a usable `filename`." if given else "An item has no `filename`.",
            f"Give a name of 1 to {MAX_FILENAME} printable characters.",
        )
    return given


def _content_type(filename: str, given: object) -> str:
    named = given.lower() if isinstance(given, str) else ""
    content_type = TYPE_ALIASES.get(named, named)
    if content_type not in ACCEPTED_TYPES:
        raise ItemRefused(
            "unsupported_type",
            f"{filename}: images of type {shown(given)} are not taken.",
            f"Send one of {', '.join(ACCEPTED_TYPES)}.",
        )
    return content_type


def _size(filename: str, given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ItemRefused("bad_size", f"{filename}: `size` must be the file's bytes.", "Give a whole number.")
    if given == 0:
        raise ItemRefused("empty_file", f"{filename} is empty.", "Copy the file again; it has no bytes.")
    if given > MAX_FILE_BYTES:
        raise ItemRefused(
            "too_large",
            f"{filename} has {shown(given)} bytes; at most {MAX_FILE_BYTES} are taken.",
            "Save it as JPEG, or crop it to the inspected part.",
        )
    return given


def _split(filename: str, given: object) -> str | None:
    if given is None or (isinstance(given, str) and given in Image.Split.values):
        return given
    raise ItemRefused(
        "bad_split",
        f"{filename}: there is no split {shown(given)}.",
        f"Give one of {', '.join(Image.Split.values)}, or none.",
    )


def _group(filename: str, given: object) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > MAX_GROUP or _UNSTORABLE.search(given):
        raise ItemRefused(
            "bad_group", f"{filename}: `group` is not usable text.", f"Give at most {MAX_GROUP} characters."
        )
    return given


def _classes(filename: str, given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > MAX_CLASSES or not all(isinstance(one, str) for one in given):
        raise ItemRefused(
            "unknown_class",
            f"{filename}: `classes` must be a list of names or ids, at most {MAX_CLASSES}.",
            "Give names of the project's label book.",
        )
    return tuple(dict.fromkeys(given))


def _is_plain(value: object) -> bool:
    """Whether JSON and PostgreSQL can hold it and a filter can name it."""
    if isinstance(value, str):
        return not _UNSTORABLE.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int)
