"""What is known of photographs besides their bytes: from a metadata.csv or a COCO file next to them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from myriad.errors import ValidationFailed

Scalar = str | int | float | bool
SPLITS = ("TRAIN", "VALIDATION", "TEST")


@dataclass(frozen=True)
class Facts:
    """What is known of one photograph. `group` names what must not straddle two splits: a part, a board."""

    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    split: str | None = None
    group: str | None = None


class Sidecar:
    """Facts by file name. A name may be the path within the folder, the end of it, or a longer path that ends so."""

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        self._facts = dict(facts)
        by_last: dict[str, list[str]] = {}
        for name in self._facts:
            by_last.setdefault(PurePosixPath(name).name, []).append(name)
        # A bare name found once may stand for a longer path; found twice it says nothing.
        self._by_last = {last: names[0] for last, names in by_last.items() if len(names) == 1}

    def __len__(self) -> int:
        return len(self._facts)

    def facts_of(self, name: str) -> Facts | None:
        """Give the facts of the file at this path within the folder, or None."""
        parts = name.split("/")
        for start in range(len(parts)):
            if found := self._facts.get("/".join(parts[start:])):
                return found
        longer = self._by_last.get(parts[-1])
        return self._facts[longer] if longer and longer.endswith("/" + name) else None


def read_metadata_csv(path: str | os.PathLike[str]) -> Sidecar:
    """Read a table with a `filename` column; the others are metadata, but `split` and `group`, which say just
    that.

    Values stay text (a lot number keeps its zeros), empty cells say nothing. Commas, semicolons and tabs
    separate. Raises `ValidationFailed` naming the line.
    """
    table = _text(path)
    header = table.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    rows = csv.DictReader(table.splitlines(), delimiter=separator)
    if "filename" not in (rows.fieldnames or ()):
        raise _bad(
            path,
            "has no column `filename` in its first line",
            "Name the column that holds the file names so.",
        )
    facts = {}
    for row in rows:
        line = f"line {rows.line_num}"
        if None in row:
            raise _bad(path, f"{line} has more cells than the first line", "Quote cells that hold the separator.")
        cells = {column.strip(): cell.strip() for column, cell in row.items() if column and cell and cell.strip()}
        name = cells.pop("filename", "").replace("\\", "/")
        if not name:
            raise _bad(path, f"{line} has no file name", "Fill the cell or remove the line.")
        if name in facts:
            raise _bad(path, f"{line} names {name} a second time", "Keep one line a file.")
        split = cells.pop("split", None)
        if split is not None and split.upper() not in SPLITS:
            raise _bad(path, f"{line} has the split {split!r}", "Use train, validation or test.")
        group = cells.pop("group", None)
        facts[name] = Facts(metadata=cells, split=split.upper() if split else None, group=group)
    return Sidecar(facts)


def read_coco(path: str | os.PathLike[str]) -> Sidecar:
    """Read `group` and `metadata` of the images of a COCO file; annotations are not read.

    Raises `ValidationFailed` if it is no such file.
    """
    try:
        document = json.loads(_text(path))
        entries = document["images"]
        return Sidecar({str(entry["file_name"]).replace("\\", "/"): _coco_facts(entry) for entry in entries})
    except (ValueError, KeyError, TypeError, AttributeError):
        hint = 'It needs a list "images" whose entries have a "file_name".'
        raise _bad(path, "is not a COCO file", hint) from None


def parse_pairs(pairs: Iterable[str]) -> dict[str, Scalar]:
    """Read `key=value` texts as metadata; raise `ValidationFailed` if one is none."""
    metadata: dict[str, Scalar] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ValidationFailed(
                f"{pair!r} is not of the form key=value.", code="bad_metadata", hint="For example: camera=3."
            )
        metadata[key.strip()] = value.strip()
    return metadata


def _coco_facts(entry: Mapping[str, Any]) -> Facts:
    group = entry.get("group")
    return Facts(metadata=dict(entry.get("metadata") or {}), group=None if group is None else str(group))


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}", "Check the path.") from None
    except UnicodeDecodeError:
        raise _bad(path, "is not UTF-8 text", "Save it again as UTF-8 (CSV UTF-8 in Excel).") from None


def _bad(path: str | os.PathLike[str], what: str, hint: str) -> ValidationFailed:
    return ValidationFailed(f"{os.fspath(path)} {what}.", code="bad_sidecar", hint=hint)
