"""The folder of results: `results.jsonl`, one line an image, and `drawn/`. What is in a line is done, and for good."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import Image

from myriad_edge.errors import BadInput
from myriad_edge.files import Version

if sys.platform != "win32":
    import fcntl

LINES: Final = "results.jsonl"
DRAWN: Final = "drawn"
_QUALITY: Final = 90
#: With the hash and the ending, a name of four bytes a character still is one that file systems take.
_LONGEST_STEM: Final = 48


class Results:
    """Appends lines and remembers which images have theirs. Each line is on the disk before the next image begins."""

    def __init__(self, folder: Path, lines: BinaryIO) -> None:
        self._folder = folder
        self._lines = lines
        self._versions: dict[str, Version] = {}
        self._contents: set[tuple[str, str]] = set()
        for document in _mended(lines):
            # What could not be read may have been put right since: the next start tries it again.
            if _error_code(document) != "not_readable":
                self._remember(document)

    def __len__(self) -> int:
        """How many images are done."""
        return len(self._contents)

    def has_version(self, version: Version) -> bool:
        """Whether the file is as it was when its line was written; nothing of it needs to be read then."""
        return self._versions.get(version.name) == version

    def has_content(self, version: Version, sha256: str) -> bool:
        """Whether a file of this name and content has its line; if so, this version is known from now on."""
        if (version.name, sha256) not in self._contents:
            return False
        self._versions[version.name] = version
        return True

    def append(self, line: Mapping[str, object]) -> None:
        """Write a line, to the disk and not only to the system's memory."""
        text = json.dumps(line, allow_nan=False)
        self._lines.write(text.encode() + b"\n")
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._remember(json.loads(text))

    def draw(self, version: Version, sha256: str, picture: Image.Image) -> str:
        """Save a drawn image, whole or not at all; give its path from the folder of results."""
        name = f"{Path(version.name).stem[:_LONGEST_STEM]}-{sha256[:12]}.jpg"
        target = self._folder / DRAWN / name
        part = target.with_name(".part")
        with part.open("wb") as file:
            picture.save(file, format="JPEG", quality=_QUALITY)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        return f"{DRAWN}/{name}"

    def _remember(self, document: Mapping[str, Any]) -> None:
        name, size, mtime_ns = (document.get(key) for key in ("file", "size", "mtime_ns"))
        if isinstance(name, str) and isinstance(size, int) and isinstance(mtime_ns, int):
            self._versions[name] = Version(name, size, mtime_ns)
            self._contents.add((name, str(document.get("sha256"))))


@contextmanager
def open_results(folder: Path) -> Iterator[Results]:
    """Make or go on with a folder of results; raises BadInput if that cannot be, or another process is at it."""
    try:
        (folder / DRAWN).mkdir(parents=True, exist_ok=True)
        lines = (folder / LINES).open("a+b")
    except OSError as error:
        raise BadInput(
            f"The results cannot be written to {folder}: {error.strerror}.", "Name another folder with --out."
        ) from error
    with lines:
        if not stat.S_ISREG(os.fstat(lines.fileno()).st_mode):
            raise BadInput(f"{folder / LINES} is not a plain file.", "Name another folder with --out.")
        _lock(lines, folder)
        yield Results(folder, lines)


def _lock(lines: BinaryIO, folder: Path) -> None:
    """Two programs at one folder would do every image twice. The lock ends with the process, however that ends."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadInput(f"Another myriad-edge writes to {folder}.", "End it, or name another --out.") from error
    except OSError:
        return  # a file system without locks


def _mended(lines: BinaryIO) -> Iterator[Mapping[str, Any]]:
    """Give the lines that are there, and cut off a last one that was not finished when the power went.

    A finished line that is not one of ours is left where it is, and only passed over.
    """
    lines.seek(0)
    whole = 0
    for text in lines:
        if not text.endswith(b"\n"):
            lines.truncate(whole)
            os.fsync(lines.fileno())
            return
        whole += len(text)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            yield document


def _error_code(document: Mapping[str, Any]) -> object:
    error = document.get("error")
    return error.get("code") if isinstance(error, dict) else None
