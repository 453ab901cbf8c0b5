"""What came of annotations that were sent, image by image, and how far that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What became of what was said of one image."""

    CREATED = "CREATED"  # it is the image's accepted annotation now
    UNCHANGED = "UNCHANGED"  # the accepted annotation says the same already
    REJECTED = "REJECTED"  # nothing was written


@dataclass(frozen=True, kw_only=True)
class AnnotationResult:
    """One image: `name` is what it was named by, `image` its id where that is known.

    `boxes` counts what was sent, `warnings` says what was mended, such as a box that stuck out of the image. `code`,
    `message` and `hint` say why it was rejected.
    """

    name: str
    outcome: Outcome
    boxes: int
    image: str | None = None
    annotation: str | None = None
    warnings: tuple[str, ...] = ()
    code: str = ""
    message: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "hint": self.hint} if self.code else None
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "image": self.image,
            "annotation": self.annotation,
            "boxes": self.boxes,
            "warnings": list(self.warnings),
            "error": error,
        }


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """Every image of the file is in one of the first three.

    `classes` are the names that were added to the label book, `crowds` counts the regions that were left out because
    they are no boxes of one thing.
    """

    project: str
    created: tuple[AnnotationResult, ...] = ()
    unchanged: tuple[AnnotationResult, ...] = ()
    rejected: tuple[AnnotationResult, ...] = ()
    classes: tuple[str, ...] = ()
    crowds: int = 0

    @property
    def results(self) -> tuple[AnnotationResult, ...]:
        return self.created + self.unchanged + self.rejected

    def to_json(self) -> dict[str, Any]:
        counts = {"created": len(self.created), "unchanged": len(self.unchanged), "rejected": len(self.rejected)}
        return {
            "project": self.project,
            "counts": counts | {"crowds": self.crowds},
            "classes_created": list(self.classes),
            "images": [result.to_json() for result in self.results],
        }


@dataclass(frozen=True, kw_only=True)
class ImportProgress:
    """How far an import is, in images; `rejected` so far."""

    done: int
    total: int
    rejected: int


OnImport = Callable[[ImportProgress], object]
