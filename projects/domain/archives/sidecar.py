"""`myriad.json`: what our own exports know beyond what their format can say. Runs in the child, on hostile bytes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from projects.domain.archives.contents import MAX_CLASSES, SIDECAR, About, ArchiveClass, Kind, Problems
from projects.domain.archives.zip_entries import Entries, Entry, EntryUnreadable

VERSION: Final = 1
#: What splits are called, in small letters.
SPLIT_WORDS: Final = {
    "train": "TRAIN",
    "training": "TRAIN",
    "val": "VALIDATION",
    "valid": "VALIDATION",
    "validation": "VALIDATION",
    "test": "TEST",
    "testing": "TEST",
}
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_UNUSABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
#: As in prose, but for line breaks and tabs.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_MAX_NAME: Final = 100
_MAX_PROSE: Final = 10_000
_MAX_METADATA: Final = 100


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The classes in the label book's order, and what is said of images by their place in the archive."""

    classes: tuple[ArchiveClass, ...] = ()
    images: Mapping[str, About] = field(default_factory=dict)


def read_sidecar(entries: Entries, problems: Problems) -> Sidecar:
    """The archive's sidecar; an empty one where there is none, or none that can be read.

    It may lie in the one folder that was packed, and then speaks of what lies there.
    """
    entry = _find(entries)
    if entry is None:
        return Sidecar()
    del entries.texts[entry.path]
    try:
        document = load_json(entries.read(entry))
    except (EntryUnreadable, ValueError) as error:
        problems.add(Kind.UNREADABLE_SIDECAR, entry.path, detail=str(error))
        return Sidecar()
    if not isinstance(document, dict) or document.get("version") != VERSION:
        problems.add(Kind.UNREADABLE_SIDECAR, entry.path, detail=f"not of version {VERSION}")
        return Sidecar()
    images = document.get("images")
    images = images if isinstance(images, dict) else {}
    folder = f"{entry.folder}/" if entry.folder else ""
    told = {}
    for path, said in images.items():
        told[folder + path] = about(said, partial(problems.add, Kind.UNUSABLE_FIELD, entry.path, path))
    return Sidecar(classes=_classes(document.get("classes")), images=told)


def _find(entries: Entries) -> Entry | None:
    """The sidecar that lies nearest to the root, if no other does."""
    found = sorted((entry.path.count("/"), entry.path) for entry in entries.texts.values() if entry.name == SIDECAR)
    if not found or (len(found) > 1 and found[0][0] == found[1][0]):
        return None
    return entries.texts[found[0][1]]


def load_json(data: bytes) -> Any:
    """The JSON document; raises ValueError for anything that is none, or nested too deeply."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def about(said: object, on_unusable: Callable[[str], None]) -> About:
    """What an object says of an image, as far as it can be used; what cannot is told to `on_unusable`."""
    if not isinstance(said, dict):
        return About()
    filename, split, group, metadata = (said.get(name) for name in ("filename", "split", "group", "metadata"))
    if isinstance(group, int) and not isinstance(group, bool):
        group = str(group)  # of parts that are numbered
    found = About(
        filename=filename if isinstance(filename, str) and is_name(filename, most=255) else "",
        split=SPLIT_WORDS.get(split.lower(), "") if isinstance(split, str) else "",
        group=group if isinstance(group, str) and len(group) <= 200 and not _UNUSABLE.search(group) else "",
        metadata=_metadata(metadata),
    )
    kept = (("filename", filename, found.filename), ("split", split, found.split), ("group", group, found.group))
    lost = [(name, given) for name, given, taken in kept if given not in (None, "") and not taken]
    for name, value in metadata.items() if isinstance(metadata, dict) else ():
        if name not in found.metadata:
            lost.append((f"metadata {name}", value))
    if metadata is not None and not isinstance(metadata, dict):
        lost.append(("metadata", metadata))
    for name, value in lost:
        on_unusable(f"{name}: {value!r}"[:200])
    return found


def is_name(text: str, *, most: int = _MAX_NAME) -> bool:
    """Whether a class (or, of `most` letters, a file) can be called so."""
    return bool(text.strip()) and len(text) <= most and not _UNUSABLE.search(text)


def _metadata(given: object) -> dict[str, Any]:
    if not isinstance(given, dict) or len(given) > _MAX_METADATA:
        return {}
    return {name: value for name, value in given.items() if _is_plain(value) and len(str(value)) <= _MAX_PROSE}


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not _UNSTORABLE.search(value)
    return value is None or (isinstance(value, int) and abs(value) < 2**63)


def _classes(given: object) -> tuple[ArchiveClass, ...]:
    if not isinstance(given, list):
        return ()
    found: dict[str, ArchiveClass] = {}
    for said in given[:MAX_CLASSES]:
        name = said.get("name") if isinstance(said, dict) else None
        if not isinstance(name, str) or not is_name(name):
            continue
        color = _prose(said.get("color"))
        found.setdefault(
            name,
            ArchiveClass(
                name,
                definition=_prose(said.get("definition")),
                rule=_prose(said.get("rule")),
                color=color if _COLOR.fullmatch(color) else "",
                listed=True,
            ),
        )
    return tuple(found.values())


def _prose(given: object) -> str:
    return given if isinstance(given, str) and len(given) <= _MAX_PROSE and not _UNSTORABLE.search(given) else ""
