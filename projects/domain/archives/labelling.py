"""What the readers of the three formats share: the archive's classes, its folders, and numbers from outside."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Protocol

from projects.domain.archives.contents import MAX_CLASSES, About, ArchiveClass, ArchiveRefused, Labels
from projects.domain.archives.sidecar import SPLIT_WORDS, is_name
from projects.domain.archives.zip_entries import Entry

#: Pixels, or as many times an image's side: whoever draws beyond that means no place in an image.
_LARGEST: Final = 1e7
_WORDS: Final = re.compile(r"[a-z]+")
#: What stands behind a split's name, as in `train2017`.
_NUMBER: Final = re.compile(r"[-_ ]?\d*$")


@dataclass(frozen=True, slots=True)
class Unseen:
    """An image that is spoken of and not in the archive: where it should be, and what it may be called."""

    path: str
    filenames: tuple[str, ...]
    labels: Labels
    about: About


class Labeller(Protocol):
    """One format's reader, once it has found the files that are its own."""

    format: str

    def labels_of(self, image: Entry) -> Labels | None:
        """What the archive says of an image in it; None when it says nothing."""
        ...

    def about(self, image: Entry) -> About:
        """What the format says of it besides: a split, mostly."""
        ...

    def unseen(self) -> Iterator[Unseen]:
        """What is labelled and not in the archive. Asked for when all images in it were asked about."""
        ...


class Classes:
    """The archive's classes in the order they were met, those of the sidecar first."""

    def __init__(self, known: tuple[ArchiveClass, ...] = ()) -> None:
        self.all = list(known)
        self._places = {label.name: place for place, label in enumerate(known)}

    def place(self, name: str) -> int | None:
        """The class's number, given to it now if it is new; None for what cannot be a class's name."""
        found = self._places.get(name)
        if found is not None or not is_name(name):
            return found
        if len(self.all) >= MAX_CLASSES:
            raise ArchiveRefused(
                "archive_too_many_classes",
                f"The archive names more than {MAX_CLASSES:,} classes.",
                "Check that its class names are names, not numbers of annotations.",
            )
        self._places[name] = len(self.all)
        self.all.append(ArchiveClass(name))
        return self._places[name]


class ByName:
    """Images by path, and by name where the folder is not told or is told wrongly."""

    def __init__(self, images: dict[str, Entry], key: Callable[[Entry], str]) -> None:
        self._images = images
        self._key = key
        self._named: dict[str, list[Entry]] = defaultdict(list)
        for entry in images.values():
            self._named[key(entry)].append(entry)

    def find(self, *paths: str) -> Entry | None:
        """The image at the first of the paths where one is."""
        return next((self._images[path] for path in paths if path in self._images), None)

    def named(self, name: str, *, near: str) -> list[Entry]:
        """Those of this name; if any are below the folder `near`, only they."""
        found = self._named.get(name, [])
        below = [entry for entry in found if entry.path.startswith(f"{near}/")] if near else []
        return below or found


def split_of_path(path: str) -> str:
    """The split that a folder on the way is named for, as `train` or `train2017`, the innermost; empty if none is."""
    for part in reversed(PurePosixPath(path).parts[:-1]):
        split = SPLIT_WORDS.get(_NUMBER.sub("", part.lower(), count=1), "")
        if split:
            return split
    return ""


def split_of_name(name: str) -> str:
    """The split that a file is named for, as `instances_train2017.json`; empty if none is, or several are."""
    found = {SPLIT_WORDS[word] for word in _WORDS.findall(name.lower()) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else ""


def is_place(*sides: float) -> bool:
    """Whether these are numbers that could be meant for a place in an image."""
    return all(math.isfinite(side) and abs(side) <= _LARGEST for side in sides)
