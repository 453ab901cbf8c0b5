"""Image files in the watched folder: which there are, when one rests, and reading one whole."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myriad_edge.errors import BadImage

ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_FILE_BYTES: Final = 128 << 20
#: A file that rests but is not whole is given this many times as long: some cameras write with pauses.
_PATIENCE: Final = 5.0


@dataclass(frozen=True)
class Version:
    """A file as it was when it was looked at; another length or time of change is another version."""

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Resting:
    """A version that has not changed for a moment; `given_up` says that it rests too long to be still written."""

    version: Version
    given_up: bool


class Changed(Exception):
    """The file went away or changed while it was read; it is looked at again."""


class Watcher:
    """Looks for images in one folder, without its sub-folders. Hidden files are left: half a copy is often one."""

    def __init__(self, folder: Path, *, settle: float, is_done: Callable[[Version], bool]) -> None:
        self._folder = folder
        self._settle = settle
        self._is_done = is_done
        # Versions seen, since when, and whether one was tried in vain.
        self._seen: dict[str, tuple[Version, float]] = {}
        self._tried: set[Version] = set()

    @property
    def waits(self) -> bool:
        """Whether the last look left files that do not rest yet."""
        return bool(self._seen)

    def look(self) -> list[Resting]:
        """Files to read now, oldest first. Raises OSError where the folder cannot be read."""
        now, found = time.monotonic(), {version.name: version for version in self._versions()}
        self._tried.intersection_update(found.values())
        before, self._seen = self._seen, {}
        resting = []
        for name, version in found.items():
            known, since = before.get(name, (None, now))
            since = since if known == version else now
            rest = max(now - since, _age(version))
            self._seen[name] = (version, since)
            given_up = rest >= self._settle * _PATIENCE
            if given_up or (rest >= self._settle and version not in self._tried):
                resting.append(Resting(version, given_up))
        return sorted(resting, key=lambda each: (each.version.mtime_ns, each.version.name))

    def names(self) -> set[str]:
        """Names seen at the last look that are not done."""
        return set(self._seen)

    def keep_to(self, names: set[str]) -> None:
        """Look for no others from now on."""
        is_done = self._is_done
        self._is_done = lambda version: version.name not in names or is_done(version)

    def leave(self, resting: Resting) -> None:
        """Do not give this version again until it has rested long, or changed."""
        self._tried.add(resting.version)

    def forget(self, resting: Resting) -> None:
        """Wait for it no longer."""
        self._seen.pop(resting.version.name, None)

    def _versions(self) -> list[Version]:
        with os.scandir(self._folder) as entries:
            named = [e for e in entries if Path(e.name).suffix.lower() in ENDINGS and not e.name.startswith(".")]
        versions = []
        for entry in named:
            try:
                status = entry.stat()
            except OSError:
                continue  # gone since, or a link to nowhere
            version = Version(entry.name, status.st_size, status.st_mtime_ns)
            if stat.S_ISREG(status.st_mode) and not self._is_done(version):
                versions.append(version)
        return versions


def read_version(folder: Path, version: Version) -> bytes:
    """Read the file whole. Raises Changed if it is not that version, and BadImage if it cannot be read or is too large.

    What changes while it is read is never taken for an image, even if it happens to decode.
    """
    if version.size > MAX_FILE_BYTES:
        raise BadImage("too_large", f"has {version.size:,} bytes; {MAX_FILE_BYTES:,} at most", "Save it smaller.")
    try:
        with (folder / version.name).open("rb") as source:
            data = source.read(MAX_FILE_BYTES + 1)
            status = os.fstat(source.fileno())
    except FileNotFoundError as error:
        raise Changed from error
    except OSError as error:
        raise BadImage(
            "not_readable", f"cannot be read: {error.strerror}", "Look at its rights, and at the disk.", may_heal=True
        ) from error
    if (len(data), status.st_size, status.st_mtime_ns) != (version.size, version.size, version.mtime_ns):
        raise Changed
    return data


def _age(version: Version) -> float:
    """Seconds since the last change by the file's own account; 0 for one that lies in the future."""
    return max(time.time() - version.mtime_ns / 1e9, 0.0)
