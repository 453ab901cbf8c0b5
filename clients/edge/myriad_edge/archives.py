"""The files of a bundle out of a folder or a zip: bounded, checked before they are unpacked, and never written."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol

from myriad_edge.errors import BadInput

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.onnx"
#: Three parity images of 640 × 640 pixels and the text around them are a tenth of it.
MAX_MANIFEST_BYTES: Final = 32 << 20
#: The graph with the largest backbone has about 20 MB.
MAX_MODEL_BYTES: Final = 512 << 20

_MAX_ZIP_BYTES: Final = MAX_MODEL_BYTES + MAX_MANIFEST_BYTES
#: A directory is parsed whole; with 46 bytes an entry and more, this many hold some thousand entries.
_MAX_DIRECTORY_BYTES: Final = 256 << 10
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_LOCATOR_64: Final = b"PK\x06\x07"
_LOCATOR_64_BYTES: Final = 20
_ENCRYPTED: Final = 1
_PLAIN: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, OverflowError, RuntimeError),  # NotImplementedError is a RuntimeError
)
_EITHER: Final = f"A bundle is a folder or a .zip that holds {MANIFEST} and {MODEL}."
_AGAIN: Final = "Export the model again, or copy the bundle again."


class BundleFiles(Protocol):
    """Where the two files of a bundle come from."""

    def read(self, name: str, most: int, *, expected: int | None = None) -> bytes:
        """Give the file; raise BadInput if it is missing, has over `most` bytes, or not the `expected` number."""


@contextmanager
def open_files(bundle: Path) -> Iterator[BundleFiles]:
    """Open a folder or a zip; raises BadInput for anything else."""
    if bundle.is_dir():
        yield _Folder(bundle)
        return
    try:
        if bundle.exists() and not bundle.is_file():  # opening a pipe would wait for its other end
            raise BadInput(f"{bundle} is neither a folder nor a file.", _EITHER)
        source = bundle.open("rb")
    except OSError as error:
        raise BadInput(f"{bundle} cannot be opened: {error.strerror}.", _EITHER) from error
    with source:
        _check_zip(source, bundle)
        try:
            archive = zipfile.ZipFile(source)
        except _BROKEN as error:
            raise BadInput(f"{bundle} is not a zip that can be read: {error}.", _AGAIN) from error
        with archive:
            yield _Zip(bundle, archive)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, most: int, *, expected: int | None = None) -> bytes:
        path = self._folder / name
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
                raise BadInput(f"{path} is not a plain file.", _AGAIN)
            check_length(str(path), status.st_size, most, expected)
            with path.open("rb") as source:
                data = source.read(most + 1)
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}.", _EITHER) from error
        check_length(str(path), len(data), most, expected)
        return data


class _Zip:
    """Reads the two entries by their place in the directory; no name in the archive becomes a path."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        for entry in archive.infolist():
            _check_name(path, entry.orig_filename)
        self._folder = PurePosixPath(self._find(MANIFEST, depth=2).filename).parent

    def read(self, name: str, most: int, *, expected: int | None = None) -> bytes:
        entry = self._find(str(self._folder / name), depth=0)
        where = f"{name} in {self._path}"
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _PLAIN:
            raise BadInput(f"{where} is encrypted or packed in an unusual way.", "Zip it as usual, without a password.")
        check_length(where, entry.file_size, most, expected)
        try:
            with self._archive.open(entry) as source:
                # What the directory says of the length is only said: no more than the bound is ever unpacked.
                data = source.read((most if expected is None else expected) + 1)
        except _BROKEN as error:
            raise BadInput(f"{where} cannot be unpacked: {error}.", _AGAIN) from error
        check_length(where, len(data), most, expected)
        return data

    def _find(self, name: str, *, depth: int) -> zipfile.ZipInfo:
        """The one entry of that name: exactly, or with a `depth` the one that lies at most so deep."""
        entries = self._archive.infolist()
        if depth:
            found = [e for e in entries if PurePosixPath(e.filename).name == name and e.filename.count("/") < depth]
        else:
            found = [entry for entry in entries if entry.filename == name]
        if len(found) != 1:
            how_many = "no" if not found else "more than one"
            raise BadInput(
                f"{self._path} holds {how_many} {name}.",
                f"A bundle's zip holds {MANIFEST} and {MODEL}, alone or together in one folder.",
            )
        return found[0]


def check_length(where: str, length: int, most: int, expected: int | None) -> None:
    """Raise BadInput unless a file's length is within bounds and the one that is told."""
    if length > most:
        raise BadInput(f"{where} has more than the {most:,} bytes that one may have.", _AGAIN)
    if expected is not None and length != expected:
        raise BadInput(
            f"{where} has another length than the {expected:,} bytes that the manifest tells: it is cut short,"
            " was changed, or belongs to another manifest.",
            _AGAIN,
        )


def _check_name(archive: Path, name: str) -> None:
    """Refuse names that aim at places outside; none is used as a path, but whoever wrote one means no good."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or any(sign in name for sign in "\\:\0"):
        raise BadInput(f"{archive} holds an entry of the name {name!r}, which no bundle has.", _AGAIN)


def _check_zip(source: BinaryIO, path: Path) -> None:
    """Bound what zipfile reads into memory before any entry is looked at: the directory, by the archive's end record.

    The record is found as zipfile finds it: at the very end, or else the last one in reach of the longest comment.
    """
    size = source.seek(0, os.SEEK_END)
    if size > _MAX_ZIP_BYTES:
        raise BadInput(f"{path} is larger than a bundle can be: {size:,} bytes.", _EITHER)
    source.seek(max(0, size - _END_BYTES - 0xFFFF - _LOCATOR_64_BYTES))
    tail = source.read()
    at = len(tail) - _END_BYTES
    if not (tail[max(at, 0) :].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise BadInput(f"{path} is neither a folder nor a zip.", _EITHER)
    directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    is_64 = tail[max(at - _LOCATOR_64_BYTES, 0) : at].startswith(_LOCATOR_64)
    if directory_bytes > _MAX_DIRECTORY_BYTES or is_64:
        raise BadInput(f"{path} holds far more than a bundle.", f"Zip {MANIFEST} and {MODEL} alone.")
    source.seek(0)
