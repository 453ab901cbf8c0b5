"""COCO: one or several JSON files of images, annotations and categories. Runs in the child, on hostile bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from projects.domain.archives.contents import (
    MAX_BOXES,
    MAX_ENTRIES,
    About,
    ArchiveBox,
    ArchiveRefused,
    Kind,
    Labels,
    Problems,
    shortened,
)
from projects.domain.archives.labelling import ByName, Classes, Unseen, is_place, split_of_name, split_of_path
from projects.domain.archives.sidecar import about, is_name, load_json
from projects.domain.archives.zip_entries import Entries, Entry, EntryUnreadable, safe_path

#: COCO files, parsed, with their places in the archive.
Documents: TypeAlias = list[tuple[Entry, dict[str, Any]]]


@dataclass(slots=True)
class _Described:
    """One object of a document's `images`, with the annotations that name it."""

    source: str
    name: str
    split: str
    said: dict[str, Any]
    labels_at: dict[Any, int | None]
    annotations: list[dict[str, Any]] = field(default_factory=list)


class CocoReader:
    """Finds what each image's documents say of it. An image without annotations is a good one."""

    format = "COCO"

    def __init__(self, documents: Documents, entries: Entries, classes: Classes, problems: Problems) -> None:
        self._classes = classes
        self._problems = problems
        self._by_name = ByName(entries.images, key=lambda entry: entry.name)
        self._found: dict[str, _Described] = {}
        # Files that documents contradict each other about.
        self._disputed: set[str] = set()
        self._unseen: list[_Described] = []
        self._described = 0
        for entry, document in documents:
            self._take(entry, document)

    def labels_of(self, image: Entry) -> Labels | None:
        described = self._found.get(image.path)
        return None if described is None or image.path in self._disputed else self._labels(described)

    def about(self, image: Entry) -> About:
        described = self._found.get(image.path)
        if described is None:
            return About(split=split_of_path(image.path))
        return self._about(described, split_of_path(image.path))

    def unseen(self) -> Iterator[Unseen]:
        for described in self._unseen:
            name = PurePosixPath(described.name).name
            yield Unseen(described.name, (name,), self._labels(described), self._about(described, ""))

    def _about(self, described: _Described, split: str) -> About:
        given = {name: described.said.get(name) for name in ("split", "group", "metadata")}
        said = about(given, lambda detail: self._note(Kind.UNUSABLE_FIELD, described, "", detail))
        return About(split=said.split or split or described.split, group=said.group, metadata=said.metadata)

    def _take(self, entry: Entry, document: dict[str, Any]) -> None:
        labels_at = self._categories(entry, document)
        split = split_of_path(entry.path) or split_of_name(entry.stem)
        by_id: dict[Any, _Described | None] = {}  # None: several have it
        self._described += len(document["images"])
        if self._described > MAX_ENTRIES:
            raise ArchiveRefused(
                "archive_too_many_images",
                f"The archive describes more than {MAX_ENTRIES:,} images.",
                "Split it into several zips.",
            )
        for number, said in enumerate(document["images"], start=1):
            name = said.get("file_name") if isinstance(said, dict) else None
            key = _key(said.get("id")) if isinstance(said, dict) else None
            path = safe_path(name) if isinstance(name, str) and is_name(name, most=1000) else None
            if path is None or key is None:
                detail = "an image without a usable id and file_name"
                self._problems.add(Kind.DANGLING_ANNOTATION, entry.path, f"images[{number - 1}]", detail)
            elif key in by_id:
                by_id[key] = None
                self._problems.add(Kind.DUPLICATE_ID, entry.path, f"images[{number - 1}]", f"id {key}, {path}")
            else:
                by_id[key] = _Described(entry.path, path, split, said, labels_at)
        self._deal(entry, document, by_id)
        for described in by_id.values():
            if described is not None:
                self._settle(entry, described)

    def _categories(self, entry: Entry, document: dict[str, Any]) -> dict[Any, int | None]:
        """Category id → the number of its class; None where several classes have the id."""
        listed = document.get("categories")
        places: dict[Any, int | None] = {}
        for said in listed if isinstance(listed, list) else []:
            name, key = (said.get("name"), _key(said.get("id"))) if isinstance(said, dict) else (None, None)
            if not isinstance(name, str) or key is None:
                continue
            place = self._classes.place(name)
            if places.setdefault(key, place) != place:
                places[key] = None
                self._problems.add(Kind.DUPLICATE_ID, entry.path, "categories", f"id {key}, {name}")
        return places

    def _deal(self, entry: Entry, document: dict[str, Any], by_id: dict[Any, _Described | None]) -> None:
        """Gives each image its annotations."""
        for number, said in enumerate(document["annotations"]):
            key = _key(said.get("image_id")) if isinstance(said, dict) else None
            described = by_id.get(key)
            if described is not None:
                described.annotations.append(said)
            elif key in by_id:
                self._problems.add(Kind.DUPLICATE_ID, entry.path, _where(said, number), f"of image {key}")
            else:
                where = _where(said, number)
                self._problems.add(Kind.DANGLING_ANNOTATION, entry.path, where, "of an image that is not described")

    def _settle(self, entry: Entry, described: _Described) -> None:
        """Finds the file that is meant."""
        near = entry.folder
        join = f"{near}/" if near else ""
        image = self._by_name.find(f"{join}{described.name}", f"{join}images/{described.name}", described.name)
        if image is None:
            named = self._by_name.named(PurePosixPath(described.name).name, near=near)
            if len(named) > 1:
                self._problems.add(
                    Kind.AMBIGUOUS_FILE, entry.path, described.name, f"{len(named)} files have this name"
                )
                return
            image = named[0] if named else None
        if image is None:
            self._unseen.append(described)
        elif image.path in self._found:
            # Several documents (or objects) speak of one file: what they say of it belongs together.
            first = self._found[image.path]
            if first.labels_at is described.labels_at or not described.annotations:
                first.annotations += described.annotations
            elif not first.annotations:
                self._found[image.path] = described  # one that lists files only says of none that it is good
            else:
                self._disputed.add(image.path)
                self._problems.add(Kind.AMBIGUOUS_FILE, entry.path, described.name, f"also in {first.source}")
        else:
            self._found[image.path] = described

    def _labels(self, described: _Described) -> Labels:
        count = len(described.annotations)
        if count > MAX_BOXES:
            return Labels(described.source, box_count=count)
        drawn = (self._box(described, said, number) for number, said in enumerate(described.annotations))
        sides = [_key(described.said.get(side)) for side in ("width", "height")]
        return Labels(
            described.source,
            tuple(box for box in drawn if box is not None),
            count,
            drawn_on=(sides[0], sides[1]) if isinstance(sides[0], int) and isinstance(sides[1], int) else (0, 0),
        )

    def _box(self, described: _Described, said: dict[str, Any], number: int) -> ArchiveBox | None:
        where = _where(said, number)
        label = described.labels_at.get(_key(said.get("category_id")))
        sides, of_polygon = _sides(said)
        if said.get("iscrowd") in (1, True):
            self._note(Kind.CROWD, described, where)
        elif label is None and _key(said.get("category_id")) in described.labels_at:
            self._note(Kind.DUPLICATE_ID, described, where, "of a category whose id several have, or that has no name")
        elif label is None:
            self._note(Kind.DANGLING_ANNOTATION, described, where, "of a category that is not described")
        elif sides is None:
            self._note(Kind.BAD_BOX, described, where, repr(said.get("bbox"))[:80])
        else:
            if of_polygon:
                self._note(Kind.BOX_OF_POLYGON, described, where)
            return ArchiveBox(label, *sides, where=where)
        return None

    def _note(self, kind: Kind, described: _Described, where: str, detail: str = "") -> None:
        self._problems.add(kind, described.source, where, f"{described.name} {detail}".strip())


def coco_documents(entries: Entries, problems: Problems) -> Documents:
    """The archive's JSON files that list images and annotations."""
    found = ((entry, _document(entries, entry, problems)) for entry in entries.with_extension(".json"))
    return [(entry, document) for entry, document in found if document is not None]


def _document(entries: Entries, entry: Entry, problems: Problems) -> dict[str, Any] | None:
    try:
        document = load_json(entries.read(entry))
    except (EntryUnreadable, ValueError) as error:
        problems.add(Kind.UNREADABLE_LABELS, entry.path, detail=str(error))
        return None
    if not isinstance(document, dict):
        return None
    is_coco = isinstance(document.get("images"), list) and isinstance(document.get("annotations"), list)
    return document if is_coco else None


def _sides(said: dict[str, Any]) -> tuple[tuple[float, float, float, float] | None, bool]:
    """The annotation's box, and whether it is that of its polygons because it has none of its own."""
    bbox = said.get("bbox")
    if isinstance(bbox, list) and bbox:
        sides = [_number(side) for side in bbox[:5]]
        if len(sides) != 4 or not is_place(*sides) or sides[2] <= 0 or sides[3] <= 0:
            return None, False
        return (sides[0], sides[1], sides[2], sides[3]), False
    polygons = said.get("segmentation")
    flat = [polygon for polygon in polygons if isinstance(polygon, list)] if isinstance(polygons, list) else []
    xs = [_number(x) for polygon in flat for x in polygon[0::2]]
    ys = [_number(y) for polygon in flat for y in polygon[1::2]]
    if len(xs) < 3 or len(ys) != len(xs) or not is_place(*xs, *ys):
        return None, False
    left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    return ((left, top, right - left, bottom - top), True) if right > left and bottom > top else (None, False)


def _number(given: object) -> float:
    """The number, NaN for anything else."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        return float("nan")
    try:
        return float(given)
    except OverflowError:
        return float("nan")


def _key(given: object) -> int | str | None:
    """An id by which rows may name each other."""
    return given if isinstance(given, int | str) else None


def _where(said: object, number: int) -> str:
    own = _key(said.get("id")) if isinstance(said, dict) else None
    return f"annotations[{number}]" if own is None else f"annotation {shortened(str(own)[:40])}"
