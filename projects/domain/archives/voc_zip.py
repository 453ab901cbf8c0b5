"""Pascal VOC: an XML file an image, splits in `ImageSets/Main`. Runs in the child, on hostile bytes.

The devkit counts pixels from 1, and the last one belongs to the box. Tools that count from 0 leave the last one out;
an archive in which any corner is 0 is one of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from projects.domain.archives.contents import (
    MAX_BOXES,
    MIB,
    About,
    ArchiveBox,
    Kind,
    Labels,
    Problems,
)
from projects.domain.archives.labelling import ByName, Classes, Unseen, is_place, split_of_path
from projects.domain.archives.sidecar import is_name
from projects.domain.archives.zip_entries import Entries, Entry, EntryUnreadable

#: Of one image's labels: a thousand boxes take a fifth of that.
_MAX_XML_BYTES: Final = 2 * MIB
_MAX_LIST_BYTES: Final = 8 * MIB
_SETS: Final = {"train.txt": "TRAIN", "val.txt": "VALIDATION", "test.txt": "TEST"}
_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")


@dataclass(slots=True)
class _Page:
    """An XML file of labels and the image that it is meant for."""

    entry: Entry
    filename: str
    is_used: bool = False


class VocReader:
    """Finds what the XML file of each image says. An XML file without objects means a good image."""

    format = "VOC"

    def __init__(self, pages: list[Entry], entries: Entries, classes: Classes, problems: Problems) -> None:
        self._entries = entries
        self._classes = classes
        self._problems = problems
        self._splits = _splits(entries, problems)
        self._from_zero = False
        self._page_of: dict[str, _Page] = {}
        self._unmatched: list[_Page] = []
        self._by_name = ByName(entries.images, key=lambda entry: entry.name)
        self._by_stem = ByName(entries.images, key=lambda entry: entry.stem)
        for entry in pages:
            self._look(entry)
        if self._from_zero:
            problems.add(Kind.ZERO_BASED, pages[0].path)

    def labels_of(self, image: Entry) -> Labels | None:
        page = self._page_of.get(image.path)
        return None if page is None else self._labels(page)

    def about(self, image: Entry) -> About:
        return About(split=self._splits.get(image.stem, "") or split_of_path(image.path))

    def unseen(self) -> Iterator[Unseen]:
        for page in self._unmatched:
            name = page.filename or page.entry.stem
            about = About(split=self._splits.get(page.entry.stem, ""))
            yield Unseen(name, (name,), self._labels(page), about)

    def _look(self, entry: Entry) -> None:
        """Finds the image, and whether its corners count from 0."""
        try:
            root = _parsed(self._entries, entry)
        except _Unreadable as error:
            self._problems.add(Kind.UNREADABLE_LABELS, entry.path, detail=str(error))
            root = None
        named = (root.findtext("filename") or "").strip() if root is not None else ""
        name = PurePosixPath(named.replace("\\", "/")).name
        page = _Page(entry, name if is_name(name, most=255) else "")
        if root is not None and not self._from_zero:
            self._from_zero = any(_is_zero(box.findtext(side)) for box in root.iter("bndbox") for side in _CORNERS[:2])
        image = self._image_of(page)
        if image is None:
            self._unmatched.append(page)
        elif image.path in self._page_of:
            other = self._page_of[image.path].entry.path
            self._problems.add(Kind.AMBIGUOUS_FILE, entry.path, image.path, f"also labelled in {other}")
        else:
            self._page_of[image.path] = page

    def _image_of(self, page: _Page) -> Entry | None:
        """By the files' places first: a name inside the XML may be left from before a renaming."""
        folder = page.entry.folder
        root = folder.removesuffix("Annotations").rstrip("/") if folder.endswith("Annotations") else folder
        by_stem = self._by_stem.named(page.entry.stem, near=root)
        if len(by_stem) == 1:
            return by_stem[0]
        by_name = self._by_name.named(page.filename, near=root) if page.filename else []
        if len(by_name) == 1:
            return by_name[0]
        if by_stem or by_name:
            count = len(by_stem or by_name)
            self._problems.add(Kind.AMBIGUOUS_FILE, page.entry.path, detail=f"{count} files have this name")
        return None

    def _labels(self, page: _Page) -> Labels:
        path = page.entry.path
        try:
            root = _parsed(self._entries, page.entry)
        except _Unreadable:  # told when it was looked at first
            return Labels(path, is_read=False)
        objects = root.findall("object")
        if len(objects) > MAX_BOXES:
            return Labels(path, box_count=len(objects))
        drawn = (self._box(path, said, f"object {number}") for number, said in enumerate(objects, start=1))
        width, height = (_decimal((root.findtext(f"size/{side}") or "").strip()) or 0 for side in ("width", "height"))
        boxes = tuple(box for box in drawn if box is not None)
        return Labels(path, boxes, len(objects), drawn_on=(int(width), int(height)))

    def _box(self, path: str, said: Element, where: str) -> ArchiveBox | None:
        name = (said.findtext("name") or "").strip()
        label = self._classes.place(name)
        if label is None:
            self._problems.add(Kind.DANGLING_ANNOTATION, path, where, "of no usable class name")
            return None
        corners = [(said.findtext(f"bndbox/{side}") or "").strip() for side in _CORNERS]
        sides = _sides(corners, from_zero=self._from_zero)
        if sides is None:
            self._problems.add(Kind.BAD_BOX, path, where, ", ".join(corner[:20] for corner in corners))
            return None
        return ArchiveBox(label, *sides, where=where)


class _Unreadable(Exception):
    """The message follows the file's name."""


def voc_pages(entries: Entries) -> list[Entry]:
    """The archive's XML files; whether they are VOC's, the first that can be read tells."""
    pages = entries.with_extension(".xml")
    for entry in pages:
        try:
            return pages if _parsed(entries, entry).tag == "annotation" else []
        except _Unreadable:
            continue
    return pages


def _parsed(entries: Entries, entry: Entry) -> Element:
    try:
        root: Element = fromstring(entries.read(entry, max_bytes=_MAX_XML_BYTES), forbid_dtd=True)
    except EntryUnreadable as error:
        raise _Unreadable(str(error)) from error
    except DefusedXmlException as error:
        raise _Unreadable("declares a DTD or entities, which are not read") from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise _Unreadable("is no well-formed XML") from error
    return root


def _splits(entries: Entries, problems: Problems) -> dict[str, str]:
    """An image's name without extension → its split."""
    found: dict[str, str] = {}
    for entry in entries.with_extension(".txt"):
        split = _SETS.get(entry.name)
        if split is None or not entry.folder.endswith("ImageSets/Main"):
            continue
        try:
            text = entries.read(entry, max_bytes=_MAX_LIST_BYTES).decode(errors="replace")
        except EntryUnreadable as error:
            problems.add(Kind.UNREADABLE_LABELS, entry.path, detail=str(error))
            continue
        found |= dict.fromkeys((line.strip() for line in text.splitlines() if line.strip()), split)
    return found


def _is_zero(text: str | None) -> bool:
    number = _decimal((text or "").strip())
    return number is not None and number == 0


def _sides(corners: list[str], *, from_zero: bool) -> tuple[float, float, float, float] | None:
    """Corners as COCO has them. In decimals, so that 12.3 of ours comes back as 12.3."""
    numbers = [number for number in map(_decimal, corners) if number is not None]
    if len(numbers) != 4:
        return None
    left, top, right, bottom = numbers
    last = Decimal(0 if from_zero else 1)
    sides = float(left - last), float(top - last), float(right - left + last), float(bottom - top + last)
    return sides if sides[2] > 0 and sides[3] > 0 else None


def _decimal(text: str) -> Decimal | None:
    """The number, if it is one that could be meant for a place in an image."""
    if not text or len(text) > 40:
        return None
    try:
        number = Decimal(text)
        return number if number.is_finite() and is_place(float(number)) else None
    except (InvalidOperation, OverflowError, ValueError):
        return None
