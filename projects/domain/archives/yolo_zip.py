"""YOLO: a text file an image, names in `data.yaml` or `classes.txt`. Runs in the child, on hostile bytes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from projects.domain.archives.contents import (
    IMAGE_EXTENSIONS,
    MAX_BOXES,
    MAX_CLASSES,
    MIB,
    About,
    ArchiveBox,
    ArchiveRefused,
    Kind,
    Labels,
    Problems,
)
from projects.domain.archives.labelling import Classes, Unseen, is_place, split_of_path
from projects.domain.archives.sidecar import SPLIT_WORDS, is_name
from projects.domain.archives.zip_entries import Entries, Entry, EntryUnreadable

#: A thousand boxes take 80 KB, as polygons some megabytes.
_MAX_LABEL_BYTES: Final = 16 * MIB
_MAX_YAML_BYTES: Final = 256 * 1024
_NAME_FILES: Final = frozenset({"classes.txt", "obj.names", "labels.txt", "_darknet.labels"})
#: Text files that other tools leave among the labels.
_NOT_LABELS: Final = _NAME_FILES | {"train.txt", "val.txt", "valid.txt", "test.txt", "requirements.txt", "notes.txt"}


class _PlainLoader(yaml.BaseLoader):
    """Texts, lists and mappings, and no aliases: a class may be called `no`, and nothing is said twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("uses aliases, which are not read")
        return super().compose_node(parent, index)


class YoloReader:
    """Finds what the text file of each image says. An empty one means a good image."""

    format = "YOLO"

    def __init__(self, names: dict[int, str], entries: Entries, classes: Classes, problems: Problems) -> None:
        self._entries = entries
        self._problems = problems
        self._places = {number: classes.place(name) for number, name in names.items()}
        self._labels_at = {entry.path: entry for entry in label_files(entries)}
        self._used: set[str] = set()
        self._label_of = self._dealt(entries.images)
        self._listed = _listed(entries)

    def _dealt(self, images: Iterable[str]) -> dict[str, str]:
        """Image → its label file. One that several images may mean is of the one that it stands for, or of none."""
        near: dict[str, list[str]] = defaultdict(list)
        far: dict[str, list[str]] = defaultdict(list)
        for image in images:
            path = next((path for path in _label_paths(image) if path in self._labels_at), "")
            if path:
                near[path].append(image)
            elif (anywhere := f"labels/{PurePosixPath(image).stem}.txt") in self._labels_at:
                far[anywhere].append(image)
        dealt = {}
        for path in [path for path in self._labels_at if path in near or path in far]:
            self._used.add(path)
            claims = near.get(path) or far[path]
            if len(claims) == 1:
                dealt[claims[0]] = path
            left_out = [image for image in near.get(path, []) + far.get(path, []) if image not in dealt]
            if left_out:
                self._problems.add(Kind.AMBIGUOUS_FILE, path, detail=f"of {', '.join(left_out[:5])}")
        return dealt

    def labels_of(self, image: Entry) -> Labels | None:
        path = self._label_of.get(image.path)
        return None if path is None else self._labels(self._labels_at[path])

    def about(self, image: Entry) -> About:
        return About(split=split_of_path(image.path) or self._listed.get(image.name, ""))

    def unseen(self) -> Iterator[Unseen]:
        for path, entry in self._labels_at.items():
            if path not in self._used:
                # The extension is not told.
                names = tuple(f"{entry.stem}{extension}" for extension in sorted(IMAGE_EXTENSIONS))
                yield Unseen(entry.stem, names, self._labels(entry), About(split=split_of_path(path)))

    def _labels(self, entry: Entry) -> Labels:
        try:
            text = self._entries.read(entry, max_bytes=_MAX_LABEL_BYTES).decode()
        except (EntryUnreadable, UnicodeDecodeError) as error:
            said = str(error) if isinstance(error, EntryUnreadable) else "is no text in UTF-8"
            self._problems.add(Kind.UNREADABLE_LABELS, entry.path, detail=said)
            return Labels(entry.path, is_read=False)
        lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        if len(lines) > MAX_BOXES:
            return Labels(entry.path, box_count=len(lines))
        drawn = (self._box(entry.path, words, f"line {number}") for number, words in lines)
        return Labels(entry.path, tuple(box for box in drawn if box is not None), len(lines), relative=True)

    def _box(self, path: str, words: Sequence[str], where: str) -> ArchiveBox | None:
        label = self._places.get(_class_number(words[0]))
        if label is None:
            detail = f"class {words[0][:20]} has no name"
            self._problems.add(Kind.DANGLING_ANNOTATION, path, where, detail)
            return None
        sides, of_polygon = _sides([_number(word) for word in words[1:]])
        if sides is None:
            self._problems.add(Kind.BAD_BOX, path, where, " ".join(words)[:80])
            return None
        if of_polygon:
            self._problems.add(Kind.BOX_OF_POLYGON, path, where)
        return ArchiveBox(label, *sides, where=where)


def label_files(entries: Entries) -> list[Entry]:
    """Text files below a folder `labels`, or beside an image of the same name."""
    beside = {str(PurePosixPath(path).with_suffix("")) for path in entries.images}
    return [
        entry
        for entry in entries.with_extension(".txt")
        if entry.name.lower() not in _NOT_LABELS
        and ("labels" in entry.folder.split("/") or str(PurePosixPath(entry.path).with_suffix("")) in beside)
    ]


def _listed(entries: Entries) -> dict[str, str]:
    """An image's name → its split, as Darknet's lists of images say (`train.txt`); not of names in several of them."""
    found: dict[str, str] = {}
    for entry in entries.with_extension(".txt"):
        split = SPLIT_WORDS.get(entry.stem.lower())
        if split is None or entry.name.lower() not in _NOT_LABELS:
            continue
        try:
            text = entries.read(entry, max_bytes=_MAX_LABEL_BYTES).decode(errors="replace")
        except EntryUnreadable:
            continue  # a list that cannot be read is no label of any image
        for line in text.splitlines():
            name = PurePosixPath(line.strip().replace("\\", "/")).name
            if PurePosixPath(name).suffix.lower() in IMAGE_EXTENSIONS:
                found[name] = "" if found.get(name, split) != split else split
    return found


def class_names(entries: Entries) -> dict[int, str] | None:
    """Class number → name, as the archive's `data.yaml` or list of names says; None where there is neither.

    Raises ``ArchiveRefused`` when there is one that cannot be read.
    """
    for entry in sorted(
        entries.with_extension(".yaml", ".yml"), key=lambda entry: (entry.name != "data.yaml", entry.path)
    ):
        found = _names_of_yaml(entries, entry)
        if found is not None:
            return found
    for entry in entries.texts.values():
        if entry.name.lower() in _NAME_FILES:
            try:
                text = entries.read(entry, max_bytes=_MAX_YAML_BYTES).decode()
            except (EntryUnreadable, UnicodeDecodeError) as error:
                raise _no_names(entry.path, "cannot be read as text") from error
            return _checked(entry.path, dict(enumerate(line.strip() for line in text.splitlines() if line.strip())))
    return None


def _names_of_yaml(entries: Entries, entry: Entry) -> dict[int, str] | None:
    try:
        document = yaml.load(entries.read(entry, max_bytes=_MAX_YAML_BYTES), Loader=_PlainLoader)  # noqa: S506 - a BaseLoader: texts only
    except (EntryUnreadable, yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        said = str(error) if isinstance(error, EntryUnreadable) else "cannot be read as YAML"
        if "alias" in str(error):
            said = "uses aliases, which are not read"
        raise _no_names(entry.path, said) from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return None
    return _checked(entry.path, {_class_number(str(number)): name for number, name in names.items()})


def _checked(path: str, names: dict[int, Any]) -> dict[int, str]:
    if len(names) > MAX_CLASSES or not all(
        isinstance(name, str) and is_name(name) and number >= 0 for number, name in names.items()
    ):
        raise _no_names(path, f"must name 1 to {MAX_CLASSES:,} classes, each by up to 100 printable letters")
    return names


def _no_names(path: str, said: str) -> ArchiveRefused:
    return ArchiveRefused(
        "archive_class_names",
        f"{path} {said}.",
        "List the class names under `names` in data.yaml, in the order of the numbers in the label files.",
    )


def _label_paths(image: str) -> Iterator[str]:
    """Where an image's labels should be: `labels/…` for `images/…`, or beside it."""
    bare = PurePosixPath(image).with_suffix("")
    parts = list(bare.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            yield "/".join([*parts[:place], "labels", *parts[place + 1 :]]) + ".txt"
    yield f"{bare}.txt"


def _sides(numbers: list[float]) -> tuple[tuple[float, float, float, float] | None, bool]:
    """Left, top, width and height, as fractions of the image's sides; and whether they are a polygon's."""
    if not is_place(*numbers):
        return None, False
    if len(numbers) in (4, 5):  # a fifth is a confidence
        x, y, width, height = numbers[:4]
        return ((x - width / 2, y - height / 2, width, height) if width > 0 and height > 0 else None), False
    if len(numbers) < 6 or len(numbers) % 2:
        return None, False
    left, top, right, bottom = min(numbers[0::2]), min(numbers[1::2]), max(numbers[0::2]), max(numbers[1::2])
    return ((left, top, right - left, bottom - top) if right > left and bottom > top else None), True


def _class_number(word: str) -> int:
    """-1 for what is none."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 6 else -1


def _number(word: str) -> float:
    try:
        return float(word) if len(word) <= 40 else math.nan
    except ValueError:
        return math.nan
