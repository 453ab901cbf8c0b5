"""Finding the photographs in a folder, and hashing them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from myriad.errors import ValidationFailed

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
}
UNKNOWN_TYPE = "application/octet-stream"

# Files hashed ahead of the one asked for: enough that the next batch is never waited for.
_AHEAD = 200


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to be sent. `name` is its path within the folder with forward slashes, on every system."""

    path: Path
    name: str
    size: int  # bytes
    mtime_ns: int

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES.get(self.path.suffix.lower(), UNKNOWN_TYPE)

    def has_changed(self) -> bool:
        """Tell whether the file is another than the one that was found: written to, replaced or gone."""
        try:
            now = self.path.stat()
        except OSError:
            return True
        return (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns)


@dataclass(frozen=True)
class Scan:
    """What was found: the files to send in order of their names, and the names left out with the reason."""

    files: tuple[LocalFile, ...]
    skipped: dict[str, str]


def scan(paths: Iterable[str | os.PathLike[str]]) -> Scan:
    """Find the photographs in folders (with all below them) and among files named one by one.

    A file named by itself is taken whatever it is called; in a folder, what has no image's ending is left
    out, and so are hidden files, links that lead out of the folder and anything that is no regular file.
    Raises `ValidationFailed` if a path does not exist.
    """
    files: list[LocalFile] = []
    skipped: dict[str, str] = {}
    for given in paths:
        path = Path(given)
        if path.is_dir():
            _scan_folder(path, files, skipped)
        elif path.is_file():
            files.append(_local(path, path.name))
        else:
            raise ValidationFailed(
                f"There is no file or folder {str(path)!r}.", code="no_such_path", hint="Check the path."
            )
    files.sort(key=lambda file: file.name)
    return Scan(files=tuple(files), skipped=skipped)


def _scan_folder(root: Path, files: list[LocalFile], skipped: dict[str, str]) -> None:
    real_root = root.resolve()
    for folder, subfolders, names in os.walk(root):
        # os.walk does not go into linked folders; hidden ones hold thumbnails and version control, not photographs.
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            reason = _reason_to_skip(path, real_root)
            if reason:
                skipped[relative] = reason
                continue
            try:
                files.append(_local(path, relative))
            except OSError as error:  # gone between listing and looking
                skipped[relative] = error.strerror or "cannot be read"


def _reason_to_skip(path: Path, real_root: Path) -> str:
    if path.name.startswith("."):
        return "hidden"
    if path.is_symlink() and not path.resolve().is_relative_to(real_root):
        return "link that leads out of the folder"
    if path.suffix.lower() not in CONTENT_TYPES:
        return "not an image by its name"
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return error.strerror or "cannot be read"
    return "" if regular else "not a regular file"


def _local(path: Path, name: str) -> LocalFile:
    found = path.stat()
    return LocalFile(path=path, name=name, size=found.st_size, mtime_ns=found.st_mtime_ns)


def sha256_of(file: LocalFile) -> str:
    """Give the SHA-256 of the file's bytes in hex; raise `OSError` if it cannot be read."""
    with file.path.open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hashed(files: Iterable[LocalFile], *, threads: int) -> Iterator[tuple[LocalFile, str | OSError]]:
    """Give each file, in order, with its hash or with the reason that it cannot be read; hash ahead in threads."""
    with ThreadPoolExecutor(threads, thread_name_prefix="myriad-hash") as pool:
        ahead: deque[tuple[LocalFile, Future[str]]] = deque()
        try:
            for file in files:
                ahead.append((file, pool.submit(sha256_of, file)))
                if len(ahead) > _AHEAD:
                    yield _next_of(ahead)
            while ahead:
                yield _next_of(ahead)
        finally:
            pool.shutdown(cancel_futures=True)


def _next_of(ahead: deque[tuple[LocalFile, Future[str]]]) -> tuple[LocalFile, str | OSError]:
    file, future = ahead.popleft()
    try:
        return file, future.result()
    except OSError as error:
        return file, error
