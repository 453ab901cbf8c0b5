"""A zip's entries, after everything that a zip can be besides a zip: runs in the child, on hostile bytes.

Nothing is ever written under an entry's name: names are looked up, never used as paths.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Final

from projects.domain.archives.contents import (
    IMAGE_EXTENSIONS,
    MAX_ENTRIES,
    MAX_RATIO,
    MAX_TEXT_BYTES,
    MAX_UNPACKED_BYTES,
    RATIO_FROM_BYTES,
    ArchiveRefused,
    Kind,
    Problems,
)

_TEXT_EXTENSIONS: Final = frozenset({".json", ".xml", ".txt", ".yaml", ".yml", ".names"})
_TAKEN_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_LOCAL_HEADER: Final = 30
_DRIVE: Final = re.compile(r"[A-Za-z]:")
#: What operating systems and labelling tools leave beside a data set, and nobody misses.
_LITTER: Final = re.compile(
    r"(^|/)(__MACOSX/.*|\.[^/]*|Thumbs\.db|desktop\.ini|(readme|licen[cs]e)(\.[a-z]+)*)$", re.IGNORECASE
)
_END, _END64, _LOCATOR64 = (
    struct.Struct("<4s4H2LH"),
    struct.Struct("<4sQ2H2L4Q"),
    struct.Struct("<4sLQL"),
)
_MAX_DIRECTORY_BYTES: Final = 64 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_ZIP_AGAIN: Final = "Pack the folder again as a plain zip, without a password, and upload that."


class EntryUnreadable(Exception):
    """One entry's bytes cannot be had. The message is a predicate that follows its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive; ``path`` is its name with forward slashes."""

    number: int
    path: str
    size: int

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent) if "/" in self.path else ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        return PurePosixPath(self.path).stem

    @property
    def extension(self) -> str:
        return PurePosixPath(self.path).suffix.lower()


class Entries:
    """The entries that matter, by path: ``images`` and ``texts``. The others go to ``problems``."""

    def __init__(self, file: IO[bytes], problems: Problems) -> None:
        """Raises ``ArchiveRefused`` for what is no sound zip of an acceptable size."""
        self._zip = _opened(file)
        self._infos = self._zip.infolist()
        _check_sizes(self._infos, archive_bytes=file.seek(0, 2))
        _check_overlaps(self._zip)
        self.images: dict[str, Entry] = {}
        self.texts: dict[str, Entry] = {}
        for number, info in enumerate(self._infos):
            self._place(number, info, problems)

    def _place(self, number: int, info: zipfile.ZipInfo, problems: Problems) -> None:
        if info.is_dir():
            return
        path = safe_path(info.filename)
        if path is None:
            problems.add(Kind.UNSAFE_NAME, info.filename)
            return
        if _LITTER.search(path):
            return
        entry = Entry(number, path, info.file_size)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            problems.add(Kind.UNSUPPORTED_MEMBER, path, detail="a link or another special file")
        elif path in self.images or path in self.texts:
            problems.add(Kind.DUPLICATE_ENTRY, path, f"entry {number + 1}")
        elif entry.extension in IMAGE_EXTENSIONS:
            self.images[path] = entry
        elif entry.extension in _TEXT_EXTENSIONS:
            self.texts[path] = entry
        else:
            nested = entry.extension in (".zip", ".7z", ".rar", ".gz", ".tar")
            problems.add(Kind.UNSUPPORTED_MEMBER, path, detail="an archive in the archive" if nested else "")

    def with_extension(self, *extensions: str) -> list[Entry]:
        """The texts that end so, in the archive's order."""
        return [entry for entry in self.texts.values() if entry.extension in extensions]

    def read(self, entry: Entry, *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
        """An entry's bytes, held against their check sum. Raises ``EntryUnreadable``."""
        return self.read_number(entry.number, max_bytes=max_bytes)

    def read_number(self, number: int, *, max_bytes: int) -> bytes:
        """As ``read``, by the entry's place in the directory."""
        if not 0 <= number < len(self._infos):
            raise EntryUnreadable("is not in the archive")
        info = self._infos[number]
        if info.file_size > max_bytes:
            raise EntryUnreadable(f"has {info.file_size:,} bytes unpacked; at most {max_bytes:,} are read")
        if info.compress_type not in _TAKEN_METHODS:
            raise EntryUnreadable("is packed by a method other than store and deflate")
        data = bytearray()
        try:
            with self._zip.open(info) as source:
                while chunk := source.read(_CHUNK):
                    data += chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise EntryUnreadable("is damaged: it cannot be unpacked, or its check sum is wrong") from error
        if len(data) != info.file_size:
            raise EntryUnreadable("is damaged: it ends too early")
        return bytes(data)


def safe_path(name: str) -> str | None:
    """The name with forward slashes; None for one that is absolute, or leads out of the archive's folder."""
    path = name.replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path) or "\x00" in path:
        return None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or len(path) > 1000:
        return None
    return "/".join(parts)


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(4)
    if head == b"PK\x05\x06":
        raise ArchiveRefused("archive_empty", "The zip holds no files.", _ZIP_AGAIN)
    if head != b"PK\x03\x04":
        raise ArchiveRefused(
            "not_a_zip", "The file does not begin as a zip does.", "Upload a zip; other archives are not read."
        )
    _check_directory(file, size)
    try:
        opened = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, struct.error, NotImplementedError) as error:
        raise _damaged() from error
    infos = opened.infolist()
    if len(infos) > MAX_ENTRIES:
        raise _too_many(len(infos))
    if not infos:
        raise ArchiveRefused("archive_empty", "The zip holds no files.", _ZIP_AGAIN)
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise ArchiveRefused("archive_encrypted", "The zip is protected by a password.", _ZIP_AGAIN)
    return opened


def _check_directory(file: IO[bytes], size: int) -> None:
    """Looks at the counts at the zip's end, before anything makes an object of each entry."""
    start = max(0, size - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise _damaged()
    end = _END.unpack_from(tail, place)
    count, directory_bytes = end[4], end[5]
    file.seek(max(0, start + place - _LOCATOR64.size))
    locator = file.read(_LOCATOR64.size)
    if locator[:4] == b"PK\x06\x07":
        file.seek(min(_LOCATOR64.unpack(locator)[2], size))
        record = file.read(_END64.size)
        if len(record) == _END64.size and record[:4] == b"PK\x06\x06":
            count, directory_bytes = _END64.unpack(record)[7:9]
    if count > MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise _too_many(count)


def _check_sizes(infos: list[zipfile.ZipInfo], *, archive_bytes: int) -> None:
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MAX_UNPACKED_BYTES:
        raise ArchiveRefused(
            "archive_too_large",
            f"Unpacked, the zip would take {unpacked:,} bytes; at most {MAX_UNPACKED_BYTES:,} are read.",
            "Split it into several zips.",
        )
    if unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * archive_bytes:
        raise ArchiveRefused(
            "archive_bomb",
            f"Unpacked, the zip would be {unpacked // max(1, archive_bytes):,} times its size.",
            f"Save the images as JPEG or PNG; a zip may unpack to {MAX_RATIO} times its size.",
        )


def _check_overlaps(archive: zipfile.ZipFile) -> None:
    """Refuses entries that share bytes: a few kilobytes could unpack to terabytes so."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    if infos[0].header_offset != 0:
        raise ArchiveRefused("not_a_zip", "Something else stands before the zip in this file.", _ZIP_AGAIN)
    starts = [info.header_offset for info in infos[1:]] + [archive.start_dir]
    for info, following in zip(infos, starts, strict=True):
        if info.header_offset + _LOCAL_HEADER + info.compress_size > following:
            raise ArchiveRefused("archive_overlapping", "Entries of the zip overlap each other.", _ZIP_AGAIN)


def _damaged() -> ArchiveRefused:
    return ArchiveRefused(
        "archive_damaged", "The zip is damaged or cut short: its directory cannot be read.", _ZIP_AGAIN
    )


def _too_many(count: int) -> ArchiveRefused:
    return ArchiveRefused(
        "archive_too_many_entries",
        f"The zip has {count:,} entries; at most {MAX_ENTRIES:,} are read.",
        "Split it into several zips.",
    )
