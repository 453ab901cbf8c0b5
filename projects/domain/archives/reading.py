"""Reading an archive: which format it is, then image by image what is there and what is said of it. In the child."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TypeAlias

from projects.domain.archives.coco_zip import CocoReader, coco_documents
from projects.domain.archives.contents import (
    MAX_BOXES_IN_ALL,
    MAX_IMAGE_BYTES,
    About,
    ArchiveImage,
    ArchiveRefused,
    Kind,
    Problems,
    Summary,
)
from projects.domain.archives.labelling import Classes, Labeller, Unseen
from projects.domain.archives.sidecar import is_name, read_sidecar
from projects.domain.archives.voc_zip import VocReader, voc_pages
from projects.domain.archives.yolo_zip import YoloReader, class_names, label_files
from projects.domain.archives.zip_entries import Entries, Entry, EntryUnreadable


@dataclass(frozen=True, slots=True)
class Measured:
    """What an image's header says: its type, and the upright image's sides; or why it is not taken."""

    content_type: str = ""
    width: int = 0
    height: int = 0
    trouble: tuple[str, str, str] | None = None


Measure: TypeAlias = Callable[[bytes], Measured]


class Reading:
    """One archive being read: ``images`` gives its images one by one; ``summary`` is right when they have ended."""

    def __init__(self, file: IO[bytes], *, measure: Measure) -> None:
        """Raises ``ArchiveRefused``."""
        self._measure = measure
        self._problems = Problems()
        self.entries = Entries(file, self._problems)
        self._sidecar = read_sidecar(self.entries, self._problems)
        self._classes = Classes(self._sidecar.classes)
        self._labeller = _labeller(self.entries, self._classes, self._problems)
        self.total = len(self.entries.images)
        self._images = self._boxes = 0

    def images(self) -> Iterator[ArchiveImage]:
        """All of them, each read, hashed and measured; then those that are only spoken of. To be asked for once."""
        for entry in self.entries.images.values():
            yield self._counted(self._image(entry))
        for unseen in self._labeller.unseen():
            yield self._counted(self._missing(unseen))

    def summary(self) -> Summary:
        return Summary(
            self._labeller.format, tuple(self._classes.all), self._problems, images=self._images, boxes=self._boxes
        )

    def _counted(self, image: ArchiveImage) -> ArchiveImage:
        self._images += 1
        self._boxes += len(image.labels.boxes) if image.labels else 0
        if self._boxes > MAX_BOXES_IN_ALL:
            raise ArchiveRefused(
                "archive_too_many_boxes",
                f"The archive has more than {MAX_BOXES_IN_ALL:,} boxes.",
                "Split it into several zips.",
            )
        return image

    def _image(self, entry: Entry) -> ArchiveImage:
        said = self._sidecar.images.get(entry.path, About())
        about, labels = self._labeller.about(entry), self._labeller.labels_of(entry)
        about = About(
            filename=said.filename,
            split=said.split or about.split,
            group=said.group or about.group,
            metadata=said.metadata or about.metadata,
        )
        name = about.filename or entry.name
        try:
            data = self.entries.read(entry, max_bytes=MAX_IMAGE_BYTES)
        except EntryUnreadable as error:
            trouble = ("unreadable_entry", str(error), "Pack the archive again.")
            self._problems.add(Kind.UNREADABLE_IMAGE, entry.path, detail=str(error))
            return ArchiveImage(entry.path, (name,), size=entry.size, trouble=trouble, labels=labels, about=about)
        found = self._named(name, self._measure(data))
        if found.trouble is not None:
            self._problems.add(Kind.UNREADABLE_IMAGE, entry.path, detail=found.trouble[1])
        elif labels is not None and min(labels.drawn_on) > 0 and labels.drawn_on != (found.width, found.height):
            drawn_on = " × ".join(map(str, labels.drawn_on))
            detail = f"{drawn_on}; the file has {found.width} × {found.height}"
            self._problems.add(Kind.SIZE_DIFFERS, labels.source, entry.path, detail)
        return ArchiveImage(
            path=entry.path,
            filenames=(name,),
            entry=entry.number,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            content_type=found.content_type,
            width=found.width,
            height=found.height,
            trouble=found.trouble,
            labels=labels,
            about=about,
        )

    @staticmethod
    def _named(name: str, found: Measured) -> Measured:
        if is_name(name, most=255):
            return found
        return Measured(trouble=("bad_filename", "has a name that an image cannot have", "Rename the file."))

    def _missing(self, unseen: Unseen) -> ArchiveImage:
        names = tuple(name for name in unseen.filenames if is_name(name, most=255))
        return ArchiveImage(unseen.path, names or ("unnamed",), labels=unseen.labels, about=unseen.about)


def _labeller(entries: Entries, classes: Classes, problems: Problems) -> Labeller:
    """The reader of the one format whose files are there. Raises ``ArchiveRefused`` on none, or on several."""
    unreadable = Problems()
    documents = coco_documents(entries, unreadable)
    pages = voc_pages(entries)
    labelled = label_files(entries)
    names = class_names(entries) if labelled or not (documents or pages) else None
    found: dict[str, Callable[[], Labeller]] = {}
    if documents:
        found["COCO"] = lambda: CocoReader(documents, entries, classes, problems)
    if pages:
        found["VOC"] = lambda: VocReader(pages, entries, classes, problems)
    if names is not None and labelled:
        found["YOLO"] = lambda: YoloReader(names, entries, classes, problems)
    if len(found) == 1:
        (make,) = found.values()
        problems.take(unreadable)
        return make()
    if found:
        raise ArchiveRefused(
            "archive_ambiguous",
            f"The zip holds the files of several formats: {', '.join(found)}.",
            "Leave the labels in one format only.",
        )
    raise _nothing(entries, unreadable, has_labels=bool(labelled), has_names=names is not None)


def _nothing(entries: Entries, unreadable: Problems, *, has_labels: bool, has_names: bool) -> ArchiveRefused:
    if has_labels:
        return ArchiveRefused(
            "archive_class_names",
            "The zip holds label files as YOLO has them, but nothing that names their classes.",
            "Add data.yaml, with the class names under `names`.",
        )
    first = next((problem.references[0] for problem in unreadable.kinds.values()), None)
    also = f" {first.file} {first.detail}." if first is not None else ""
    also += " data.yaml is there, but no label files are." if has_names else ""
    folders = sorted({PurePosixPath(path).parts[0] for path in [*entries.images, *entries.texts]})[:5]
    return ArchiveRefused(
        "archive_format_unknown",
        f"The zip holds no labels that can be read.{also} At its top stand: {', '.join(folders)[:200] or 'nothing'}.",
        "Expected is COCO (a JSON file with `images` and `annotations`), Pascal VOC (an XML file with `annotation` for "
        "each image) or YOLO (data.yaml, and a text file for each image below labels/).",
    )
