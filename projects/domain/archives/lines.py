"""Archive images as lines of JSON, and back: the child writes them, and the parent believes none of it unlooked at."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, cast

from projects.domain.archives.contents import (
    MAX_BOXES,
    MAX_CLASSES,
    MAX_ENTRIES,
    MAX_IMAGE_BYTES,
    MAX_REFERENCES,
    About,
    ArchiveBox,
    ArchiveClass,
    ArchiveImage,
    Kind,
    Labels,
    Problem,
    Problems,
    Reference,
    Summary,
)
from projects.domain.archives.labelling import is_place

#: Bytes of a line: a thousand boxes, and metadata.
MAX_LINE: Final = 2 * 1024 * 1024
_FORMATS: Final = frozenset({"COCO", "VOC", "YOLO"})
_SPLITS: Final = frozenset({"", "TRAIN", "VALIDATION", "TEST"})
_SHA256: Final = re.compile(r"[0-9a-f]{64}|")
_MOST: Final = 2**53


def image_line(image: ArchiveImage) -> bytes:
    """One image as a line."""
    return json.dumps(asdict(image), separators=(",", ":")).encode() + b"\n"


def image_of(line: bytes, *, classes: int) -> ArchiveImage:
    """The image of a line, of an archive of so many classes. Raises ValueError for anything the child may not say."""
    said = _Said(_object(line))
    labels, about = said.get("labels", dict, type(None)), _Said(said.get("about", dict))
    trouble = said.get("trouble", list, type(None))
    image = ArchiveImage(
        path=said.text("path", 1000),
        filenames=tuple(_text(name, 255) for name in said.get("filenames", list)),
        entry=None if said.get("entry", int, type(None)) is None else said.number("entry", MAX_ENTRIES),
        size=said.number("size", _MOST),
        sha256=said.text("sha256", 64),
        content_type=said.text("content_type", 20),
        width=said.number("width", _MOST),
        height=said.number("height", _MOST),
        trouble=_trouble(trouble) if trouble is not None else None,
        labels=_labels(_Said(labels), classes) if labels is not None else None,
        about=About(
            filename=about.text("filename", 255),
            split=about.text("split", 10),
            group=about.text("group", 200),
            metadata=_metadata(about.get("metadata", dict)),
        ),
    )
    whole = image.entry is None or image.trouble is not None or (image.sha256 and image.content_type and image.size)
    _hold(whole and 1 <= len(image.filenames) <= 10 and image.about.split in _SPLITS)
    _hold(_SHA256.fullmatch(image.sha256) and (image.entry is None or image.size <= MAX_IMAGE_BYTES))
    return image


def summary_line(summary: Summary) -> bytes:
    """What is known of the whole archive."""
    return json.dumps(
        {
            "format": summary.format,
            "classes": [asdict(label) for label in summary.classes],
            "problems": {kind: asdict(problem) for kind, problem in summary.problems.kinds.items()},
            "images": summary.images,
            "boxes": summary.boxes,
        }
    ).encode()


def summary_of(line: bytes) -> Summary:
    """Reads it back. Raises ValueError."""
    said = _Said(_object(line))
    _hold(said.text("format", 4) in _FORMATS)
    listed = [_Said(_dict(one)) for one in said.get("classes", list)]
    classes = tuple(
        ArchiveClass(
            one.text("name", 100),
            definition=one.text("definition", 10_000),
            rule=one.text("rule", 10_000),
            color=one.text("color", 7),
            listed=one.get("listed", bool),
        )
        for one in listed
    )
    _hold(len(classes) <= MAX_CLASSES and len({label.name for label in classes}) == len(classes))
    problems = Problems()
    for kind, problem in said.get("problems", dict).items():
        problems.kinds[Kind(kind)] = _problem(_Said(_dict(problem)))
    return Summary(
        said.text("format", 4),
        classes,
        problems,
        images=said.number("images", 10 * MAX_ENTRIES),
        boxes=said.number("boxes", _MOST),
    )


class _Said:
    """An object of the child's, whose values are taken only as what they should be."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def get(self, name: str, *types: type) -> Any:
        value = self._given.get(name)
        _hold(type(value) in types)
        return value

    def text(self, name: str, most: int) -> str:
        return _text(self.get(name, str), most)

    def number(self, name: str, most: int) -> int:
        value: int = self.get(name, int)
        _hold(0 <= value <= most)
        return value


def _labels(said: _Said, classes: int) -> Labels:
    boxes = tuple(_box(one, classes) for one in said.get("boxes", list))
    count = said.number("box_count", _MOST)
    _hold(len(boxes) <= min(MAX_BOXES, count))
    return Labels(
        said.text("source", 1000),
        boxes,
        count,
        relative=said.get("relative", bool),
        is_read=said.get("is_read", bool),
    )


def _box(given: object, classes: int) -> ArchiveBox:
    said = _Said(_dict(given))
    sides = [said.get(name, float, int) for name in ("x", "y", "width", "height")]
    _hold(is_place(*sides) and sides[2] > 0 and sides[3] > 0)
    x, y, width, height = map(float, sides)
    return ArchiveBox(said.number("label", classes - 1), x, y, width, height, said.text("where", 80))


def _trouble(given: list[Any]) -> tuple[str, str, str]:
    _hold(len(given) == 3)
    code, message, hint = (_text(text, 300) for text in given)
    return code, message, hint


def _problem(said: _Said) -> Problem:
    references = [_Said(_dict(one)) for one in said.get("references", list)]
    _hold(len(references) <= MAX_REFERENCES)
    places = [Reference(*(one.text(name, 200) for name in ("file", "where", "detail"))) for one in references]
    return Problem(said.number("count", _MOST), places)


def _metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    _hold(
        len(given) <= 100 and all(value is None or type(value) in (str, int, float, bool) for value in given.values())
    )
    return dict(given)


def _object(line: bytes) -> dict[str, Any]:
    try:
        return _dict(json.loads(line))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _dict(given: object) -> dict[str, Any]:
    _hold(isinstance(given, dict))
    return cast("dict[str, Any]", given)


def _text(given: object, most: int) -> str:
    if not isinstance(given, str) or len(given) > most or "\x00" in given:
        raise ValueError("no fit text")
    return given


def _hold(condition: object) -> None:
    if not condition:
        raise ValueError("not what was asked for")
