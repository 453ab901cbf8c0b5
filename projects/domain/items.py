"""Reading one image's description from a request: what is wrong with it, in words, or a `NewImage`.

Written by hand, not as a serializer: a bulk registration reads 5,000 of these a second.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from projects.models import Image

# Bytes of one file. A 40-megapixel bitmap, the largest we decode, has 120 MB.
MAX_FILE_BYTES = 128 * 1024 * 1024
MAX_METADATA_BYTES = 8 * 1024
MAX_CLASSES = 50
CONTENT_TYPES = ("image/jpeg", "image/png", "image/bmp", "image/tiff", "image/webp")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[\w.\- ]{1,64}")


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
        raise ItemRefused("validation_failed", "An item must be a JSON object.", "See the schema at /api/v1/schema.")
    filename = _filename(given.get("filename"))
    content_type = given.get("content_type")
    if content_type not in CONTENT_TYPES:
        raise ItemRefused(
            "unsupported_type",
            f"{filename}: images of type {_shown(content_type)} are not taken.",
            f"Send one of {', '.join(CONTENT_TYPES)}.",
        )
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
        group=_text(filename, "group", given.get("group"), 200),
        classes=_classes(filename, given.get("classes")),
    )


def parse_metadata(filename: str, given: object) -> dict[str, Any]:
    """Flat JSON of at most 8 KB, or ItemRefused."""
    if given is None:
        return {}
    hint = 'Give names and plain values, such as {"camera": "3", "shift": "night"}.'
    if not isinstance(given, dict):
        raise ItemRefused("bad_metadata", f"{filename}: metadata must be a JSON object.", hint)
    for name, value in given.items():
        if not _KEY.fullmatch(name):
            raise ItemRefused("bad_metadata", f"{filename}: {_shown(name)} is not a name for metadata.", hint)
        plain = value is None or isinstance(value, str | int | float | bool)
        if not plain or (isinstance(value, str) and not _storable(value)) or value in (float("inf"), float("-inf")):
            raise ItemRefused("bad_metadata", f"{filename}: metadata {name!r} is not a plain value.", hint)
    if len(json.dumps(given, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise ItemRefused(
            "metadata_too_large",
            f"{filename}: metadata has more than {MAX_METADATA_BYTES} bytes.",
            "Keep what you filter or group by; leave the rest in your own system.",
        )
    return given


def _filename(given: object) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= 255 or not _storable(given):
        raise ItemRefused(
            "bad_filename", "An item has no usable `filename`.", "Give a name of 1 to 255 printable characters."
        )
    return given


def _size(filename: str, given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ItemRefused("bad_size", f"{filename}: `size` must be the file's bytes.", "Give a whole number.")
    if given == 0:
        raise ItemRefused("empty_file", f"{filename} is empty.", "Copy the file again; it has no bytes.")
    if given > MAX_FILE_BYTES:
        raise ItemRefused(
            "too_large",
            f"{filename} has {given} bytes; at most {MAX_FILE_BYTES} are taken.",
            "Save it as JPEG, or crop it to the inspected part.",
        )
    return given


def _split(filename: str, given: object) -> str | None:
    if given is None or (isinstance(given, str) and given in Image.Split.values):
        return given
    raise ItemRefused(
        "bad_split",
        f"{filename}: there is no split {_shown(given)}.",
        f"Give one of {', '.join(Image.Split.values)}, or none.",
    )


def _text(filename: str, name: str, given: object, longest: int) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > longest or not _storable(given):
        raise ItemRefused(
            "validation_failed", f"{filename}: `{name}` is not usable text.", f"Give at most {longest} characters."
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


def _storable(text: str) -> bool:
    """PostgreSQL takes no NUL, and UTF-8 no lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _shown(value: object) -> str:
    return repr(value)[:60].encode("utf-8", "replace").decode()
