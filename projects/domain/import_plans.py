"""What will be done with each image of an archive: the check tells it, and the commit does it."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Q

from projects.domain.archives.contents import MAX_BOXES, ArchiveBox, ArchiveClass, ArchiveImage, Kind, Labels
from projects.domain.boxes import NewBox, fitted
from projects.domain.items import ItemRefused
from projects.models import DefectClass, Image, Project

# Digits behind the point of what is computed from fractions of a side: far below what anybody draws.
_DIGITS = 6
Item = TypeVar("Item")
# A class as `annotate` is to name it, and the sides of a box.
Place = tuple[str, float, float, float, float]


@dataclass
class _Copies:
    """The files of one content: which of them is taken, and whether they agree on what it shows."""

    taken: int
    path: str
    # Of the labels, a hash; None while none of the files has any.
    content: int | None
    is_conflicting: bool = False


@dataclass
class Survey:
    """What must be known of all images before anything is said of one."""

    copies: dict[str, _Copies] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)
    # Boxes by the number of their class.
    drawn: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, images: Iterable[ArchiveImage]) -> "Survey":
        survey = cls()
        for place, image in enumerate(images):
            survey.drawn.update(box.label for box in (image.labels.boxes if image.labels else ()))
            if image.entry is not None and image.trouble is None:
                survey._look(place, image)
        return survey

    def _look(self, place: int, image: ArchiveImage) -> None:
        content = _content(image.labels) if image.labels is not None else None
        known = self.copies.get(image.sha256)
        if known is None:
            self.copies[image.sha256] = _Copies(place, image.path, content)
            self.names[image.filenames[0]] += 1
        elif known.content is None and content is not None:
            # The first that says something is the one to take.
            known.taken, known.path, known.content = place, image.path, content
        elif content not in (None, known.content):
            known.is_conflicting = True

    def copy_of(self, place: int, image: ArchiveImage) -> str:
        """The path of the file that is taken instead of this one; empty when it is this one."""
        known = self.copies.get(image.sha256)
        return "" if known is None or known.taken == place else known.path

    def is_conflicting(self, image: ArchiveImage) -> bool:
        """Whether files of the same content are labelled differently."""
        known = self.copies.get(image.sha256)
        return known is not None and known.is_conflicting


def _content(labels: Labels) -> int:
    boxes = sorted((box.label, box.x, box.y, box.width, box.height) for box in labels.boxes)
    return hash((labels.is_read, labels.box_count, tuple(boxes)))


@dataclass
class Fitted:
    """Boxes as `annotate` takes them, and what was wrong with the others (and with some of these), by kind."""

    boxes: list[dict[str, Any]] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    notes: dict[Kind, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))


def fit(
    labels: Labels,
    *,
    width: int,
    height: int,
    classes: Sequence[ArchiveClass],
    book: Mapping[str, str],
    takes_boxes: bool = True,
) -> Fitted:
    """The labels' boxes in an image of this size. `book` is class name → how `annotate` is to name it.

    Boxes of a class that it does not have are left out, and so are those outside the image. Where the project does not
    take boxes, those of one class become one that covers the image; of several, nothing is taken.
    """
    found = Fitted()
    names: dict[str, None] = {}
    for box in labels.boxes:
        name = classes[box.label].name
        if name not in book:
            found.notes[Kind.UNKNOWN_CLASS].append((box.where, name))
            continue
        drawn = _in_pixels(box, book[name], width, height) if labels.relative else _as_drawn(box, book[name])
        try:
            placed, was_cut = fitted(drawn, where=box.where, width=width, height=height)
        except ItemRefused as refused:
            kind = Kind.BOX_TOO_SMALL if refused.error["code"] == "too_small" else Kind.BOX_OUTSIDE
            found.notes[kind].append((box.where, _shown(drawn)))
            continue
        if was_cut:
            found.notes[Kind.BOX_CLIPPED].append((box.where, _shown(drawn)))
        sides = (placed.x, placed.y, placed.width, placed.height)
        found.boxes.append({"class": placed.label, "bbox": list(sides)})
        found.places.append((placed.label, *sides))
        names[name] = None
    return found if takes_boxes else _one_class(found, list(names), width=width, height=height, book=book)


def _one_class(found: Fitted, names: Sequence[str], *, width: int, height: int, book: Mapping[str, str]) -> Fitted:
    """The box that covers the image, of the only class; none, and a note, where there are several."""
    kept = Fitted(notes=found.notes)
    kept.notes.pop(Kind.BOX_CLIPPED, None)  # nothing of the box but its class is taken
    if len(names) > 1:
        kept.notes[Kind.SEVERAL_CLASSES].append(("", ", ".join(names)))
    elif names:
        label, sides = book[names[0]], (0.0, 0.0, float(width), float(height))
        kept.boxes, kept.places = [{"class": label, "bbox": list(sides)}], [(label, *sides)]
    return kept


def verdict(labels: Labels | None, found: Fitted, *, is_conflicting: bool) -> list[dict[str, Any]] | None:
    """The boxes to write; None for an image that is not to be annotated.

    An image all of whose boxes had to be left out is not a good one, and stays without labels.
    """
    if labels is None or not labels.is_read or is_conflicting or labels.box_count > MAX_BOXES:
        return None
    return None if labels.box_count and not found.boxes else found.boxes


def known_images(project: Project, images: Sequence[ArchiveImage]) -> dict[int, Image]:
    """Place in `images` → the READY image of the project that it is. Two queries; in a scope.

    By its bytes, as they came or as we keep them (an export has those); one that is only spoken of, by its name,
    if one image alone has it.
    """
    hashes = {image.sha256 for image in images if image.entry is not None and image.trouble is None}
    names = {name for image in images if image.entry is None for name in image.filenames}
    ready = Image.objects.filter(project=project, deleted_at=None, status=Image.Status.READY)
    by_hash: dict[str, Image] = {}
    for row in ready.filter(Q(sha256__in=hashes) | Q(stored_sha256__in=hashes)) if hashes else ():
        by_hash.setdefault(row.stored_sha256, row)
        by_hash[row.sha256] = row
    by_name: dict[str, list[Image]] = defaultdict(list)
    for row in ready.filter(filename__in=names) if names else ():
        by_name[row.filename].append(row)
    known: dict[int, Image] = {}
    for place, image in enumerate(images):
        if image.entry is not None:
            found = by_hash.get(image.sha256) if image.trouble is None else None
        else:
            named = [row for name in image.filenames for row in by_name[name]]
            found = named[0] if len(named) == 1 else None
        if found is not None:
            known[place] = found
    return known


def book_of(project: Project) -> dict[str, str]:
    """Class name → id, as a text. In a scope."""
    rows = DefectClass.objects.filter(project=project, deleted_at=None).values_list("name", "id")
    return {name: str(class_id) for name, class_id in rows}


def item_of(image: ArchiveImage) -> dict[str, Any]:
    """What a registration is told of an image of the archive."""
    item: dict[str, Any] = {
        "filename": image.filenames[0],
        "size": image.size,
        "sha256": image.sha256,
        "content_type": image.content_type,
        "metadata": dict(image.about.metadata),
        "group": image.about.group,
    }
    return item | ({"split": image.about.split} if image.about.split else {})


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items, so many at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def as_stored(placed: Iterable[Place]) -> list[tuple[Any, ...]]:
    """Fitted places whose classes are ids, as they compare with stored boxes."""
    return sorted((uuid.UUID(label), *sides) for label, *sides in placed)


def _as_drawn(box: ArchiveBox, label: str) -> NewBox:
    return NewBox(label, box.x, box.y, box.width, box.height)


def _in_pixels(box: ArchiveBox, label: str, width: int, height: int) -> NewBox:
    x, y = round(box.x * width, _DIGITS), round(box.y * height, _DIGITS)
    return NewBox(label, x, y, round(box.width * width, _DIGITS), round(box.height * height, _DIGITS))


def _shown(box: NewBox) -> str:
    return f"{box.x:g}, {box.y:g}, {box.width:g} × {box.height:g}"
