"""What is read from an archive, whatever its format: plain values, and what a reader of archives promises.

The reader itself works in ``workers`` (a sandboxed child process); this side knows only the Protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB

#: Bytes of the archive itself, and of all its entries unpacked.
MAX_ARCHIVE_BYTES: Final = 2 * GIB
MAX_UNPACKED_BYTES: Final = 20 * GIB
#: Files of labels pack to a twentieth; what packs much better than that, and is large, is there to fill a disk.
MAX_RATIO: Final = 200
RATIO_FROM_BYTES: Final = GIB
#: Of one entry.
MAX_IMAGE_BYTES: Final = 128 * MIB
MAX_TEXT_BYTES: Final = 64 * MIB
MAX_ENTRIES: Final = 50_000
MAX_CLASSES: Final = 1000
#: Of one image, and of all.
MAX_BOXES: Final = 1000
MAX_BOXES_IN_ALL: Final = 1_000_000
#: Of one kind of problem: how many places are named; the others are counted.
MAX_REFERENCES: Final = 100

IMAGE_EXTENSIONS: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
SIDECAR: Final = "myriad.json"


class ArchiveRefused(Exception):
    """Nothing of this archive can be taken, with words for its owner."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "hint": hint}


class ReadingStopped(Exception):
    """``should_stop`` said yes."""


class Kind(StrEnum):
    """What can be wrong, or worth knowing, about parts of an archive. Values are the report's, and stable."""

    UNSAFE_NAME = "unsafe_name"
    UNSUPPORTED_MEMBER = "unsupported_member"
    DUPLICATE_ENTRY = "duplicate_entry"
    UNREADABLE_IMAGE = "unreadable_image"
    UNREADABLE_LABELS = "unreadable_labels"
    UNREADABLE_SIDECAR = "unreadable_sidecar"
    UNUSABLE_FIELD = "unusable_field"
    AMBIGUOUS_FILE = "ambiguous_file"
    DUPLICATE_ID = "duplicate_id"
    DANGLING_ANNOTATION = "dangling_annotation"
    BAD_BOX = "bad_box"
    TOO_MANY_BOXES = "too_many_boxes"
    CROWD = "crowd"
    BOX_OF_POLYGON = "box_of_polygon"
    ZERO_BASED = "zero_based"
    UNKNOWN_CLASS = "unknown_class"
    BOX_CLIPPED = "box_clipped"
    BOX_OUTSIDE = "box_outside"
    BOX_TOO_SMALL = "box_too_small"
    SIZE_DIFFERS = "size_differs"
    DUPLICATE_IMAGE = "duplicate_image"
    CONFLICTING_BOXES = "conflicting_boxes"
    SEVERAL_CLASSES = "several_classes"
    SAME_NAME = "same_name"
    EXISTING_IMAGE = "existing_image"
    EXISTING_DIFFERS = "existing_differs"
    MISSING_FILE = "missing_file"
    FOUND_IN_PROJECT = "found_in_project"
    NO_ANNOTATION = "no_annotation"
    REFUSED_FILE = "refused_file"
    OVER_QUOTA = "over_quota"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a problem is: an entry of the archive, a line, number or id in it, and what it says there."""

    file: str
    where: str = ""
    detail: str = ""


@dataclass(slots=True)
class Problem:
    """One kind of problem: how often, and the first places."""

    count: int = 0
    references: list[Reference] = field(default_factory=list)


class Problems:
    """Problems by kind, in the order in which the kinds were met."""

    def __init__(self) -> None:
        self.kinds: dict[Kind, Problem] = {}

    def add(self, kind: Kind, file: str, where: str = "", detail: str = "", *, count: int = 1) -> None:
        """Count one more (or ``count``), and name it among the first."""
        problem = self.kinds.setdefault(kind, Problem())
        problem.count += count
        if len(problem.references) < MAX_REFERENCES:
            problem.references.append(Reference(shortened(file), shortened(where), shortened(detail)))

    def take(self, other: Problems) -> None:
        """Add what ``other`` has of kinds that are not here yet."""
        self.kinds |= {kind: problem for kind, problem in other.kinds.items() if kind not in self.kinds}


def shortened(text: str) -> str:
    """A text from outside as a report may quote it: printable, and of 200 characters at most."""
    return "".join(letter if letter.isprintable() else "�" for letter in text[:200])


@dataclass(frozen=True, slots=True)
class ArchiveClass:
    """A class that the archive names; ``listed`` by our own sidecar, with what the label book said of it."""

    name: str
    definition: str = ""
    rule: str = ""
    color: str = ""
    listed: bool = False


@dataclass(frozen=True, slots=True)
class ArchiveBox:
    """A box: the place of its class among the archive's, and x, y, width and height as in COCO.

    ``where`` is its line, number or id in the file that labels the image.
    """

    label: int
    x: float
    y: float
    width: float
    height: float
    where: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """What an archive says of one image.

    ``box_count`` counts what was drawn; ``boxes`` are those of them that can be read. Sides of ``relative`` boxes are
    fractions of the image's. ``is_read`` is False where the labels are there but cannot be read. ``drawn_on`` is the
    width and height that they name, and 0 × 0 where they name none; it does not leave the child.
    """

    source: str
    boxes: tuple[ArchiveBox, ...] = ()
    box_count: int = 0
    relative: bool = False
    is_read: bool = True
    drawn_on: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class About:
    """What an archive says of an image besides its labels; empty where it says nothing."""

    filename: str = ""
    split: str = ""
    group: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """One image of an archive, or one that it only speaks of (then ``entry`` is None).

    ``path`` is its place in the archive, ``filenames`` what it may be called in a project, its own name first.
    Width and height are of the upright image, as its header says. ``trouble`` is the code, message and hint of a
    file that will not be taken.
    """

    path: str
    filenames: tuple[str, ...]
    entry: int | None = None
    size: int = 0
    sha256: str = ""
    content_type: str = ""
    width: int = 0
    height: int = 0
    trouble: tuple[str, str, str] | None = None
    labels: Labels | None = None
    about: About = field(default_factory=About)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of an archive once all its images were read."""

    format: str
    classes: tuple[ArchiveClass, ...]
    problems: Problems
    images: int
    boxes: int


class OpenArchive(Protocol):
    """One archive, open in a child."""

    def read(self, *, on_progress: Callable[[int, int], None]) -> Summary:
        """Read all of it, once; ``images`` gives what was found. ``on_progress`` is told images done and in all.

        Raises ``ArchiveRefused``, or ``ReadingStopped``.
        """
        ...

    def images(self) -> Iterator[ArchiveImage]:
        """The images, in the archive's order, each time from the start."""
        ...

    def extract(self, entry: int, target: Path) -> bool:
        """Write one entry's bytes to ``target``; False when they cannot be read."""
        ...


class ArchiveReader(Protocol):
    """Reads archives where hostile bytes can do no harm."""

    def open(
        self, path: Path, *, scratch: Path, should_stop: Callable[[], bool]
    ) -> AbstractContextManager[OpenArchive]:
        """Open the zip at ``path``; what is read of it is kept below ``scratch``, a folder that is there."""
        ...
