"""What a bundle says of itself, read with suspicion: every field that is used has been looked at here."""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from myriad_edge.archives import MANIFEST, MAX_MODEL_BYTES
from myriad_edge.errors import BadInput

DETECTION: Final = "DETECTION"
FORMAT: Final = 1

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_AGAIN: Final = "Export the model again; a manifest is not made to be edited."


@dataclass(frozen=True)
class ParityImage:
    """An encoded image, and what the model is to answer to it, as the manifest tells."""

    png: bytes
    expected: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """`model` is whatever the exporter told of the model; of it, only what is shown is ever used."""

    kind: str
    classes: tuple[str, ...]
    sha256: str
    size: int
    threshold: float | None
    model: Mapping[str, Any]
    tolerances: Mapping[str, float]
    parity: tuple[ParityImage, ...]

    def tolerance(self, name: str) -> float:
        """By how much an output may differ on this device; raises BadInput where that is not told."""
        if name not in self.tolerances:
            refuse(f"gives no tolerance for {name}")
        return self.tolerances[name]


def read_manifest(data: bytes) -> Manifest:
    """Parse a manifest; raises BadInput, saying which field is wrong."""
    try:
        document = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{MANIFEST} is not JSON that can be read: {error}.", _AGAIN) from error
    if not isinstance(document, dict):
        refuse("is not a JSON object")
    if document.get("format") != FORMAT:
        raise BadInput(
            f"{MANIFEST} is of format {document.get('format')!r}; this program reads format {FORMAT}.",
            "Update myriad-edge, or export the model again.",
        )
    sha256, size = document.get("sha256"), document.get("bytes")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        refuse('has no SHA-256 of the model as "sha256"')
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MAX_MODEL_BYTES:
        refuse('has no possible length of the model as "bytes"')
    parity = _table(document.get("parity"), "parity")
    return Manifest(
        kind=_kind(document.get("kind", DETECTION)),
        classes=_classes(document.get("classes", [])),
        sha256=sha256,
        size=size,
        threshold=None if document.get("threshold") is None else _number(document["threshold"], "threshold"),
        model=_table(document.get("model", {}), "model"),
        tolerances=_tolerances(parity),
        parity=_images(parity),
    )


def refuse(what: str) -> NoReturn:
    """Raise BadInput with a predicate of the manifest."""
    raise BadInput(f"{MANIFEST} {what}.", _AGAIN)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _kind(value: object) -> str:
    if not isinstance(value, str):
        refuse('has something else than a name as "kind"')
    return value


def _classes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        refuse('has something else than a list of names as "classes"')
    if len(set(value)) != len(value):
        refuse("names a class twice")
    return tuple(value)


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        refuse(f'has no object as "{name}"')
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    refuse(f'has something else than a finite number as "{name}"')


def _tolerances(parity: Mapping[str, Any]) -> dict[str, float]:
    given = _table(parity.get("tolerance"), "parity.tolerance")
    tolerances = {name: _number(value, f"parity.tolerance.{name}") for name, value in given.items()}
    if any(value < 0 for value in tolerances.values()):
        refuse("has a tolerance below zero")
    return tolerances


def _images(parity: Mapping[str, Any]) -> tuple[ParityImage, ...]:
    given = parity.get("images")
    if not isinstance(given, list) or not given:
        refuse("has no parity images, without which nothing proves that this device computes what was evaluated")
    return tuple(_image(_table(item, "parity.images")) for item in given)


def _image(item: Mapping[str, Any]) -> ParityImage:
    try:
        return ParityImage(base64.b64decode(item["png_base64"], validate=True), item)
    except (KeyError, TypeError, ValueError, binascii.Error):
        refuse("has a parity image that is not base64")
