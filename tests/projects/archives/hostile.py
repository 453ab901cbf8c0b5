"""Zips that are made to harm whoever opens them."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable

from tests.projects.archives.zips import coco_zip, photo, yolo_zip, zipped

GOOD = coco_zip({"a.png": [("dent", 1, 2, 3, 4)]})


def patched(data: bytes, *, directory: Callable[[bytearray, int], None]) -> bytes:
    """The zip with its first directory record changed: `directory(bytes, offset of the record)`."""
    changed = bytearray(data)
    directory(changed, changed.index(b"PK\x01\x02"))
    return bytes(changed)


def encrypted() -> bytes:
    def mark(data: bytearray, at: int) -> None:
        data[at + 8] |= 1

    return patched(GOOD, directory=mark)


def by_hand(*entries: tuple[str, bytes, int, int]) -> bytes:
    """A zip of deflated entries: name, packed bytes, and the check sum and size they are said to have."""
    body, directory = b"", b""
    for name, packed, crc, size in entries:
        said = struct.pack("<3L2H", crc, len(packed), size, len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<6H", 20, 20, 0, 8, 0, 0) + said
        directory += struct.pack("<3H2L", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + struct.pack("<5H", 20, 0, 8, 0, 0) + said + name.encode() + packed
    count = len(entries)
    return body + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)


def zeros(size: int) -> tuple[bytes, int, int]:
    """So many zeros, packed, with their check sum and size."""
    data = bytes(size)
    return zlib.compress(data, 9)[2:-4], zlib.crc32(data), size


def says_it_is_huge() -> bytes:
    """Six small entries that claim to unpack to four gigabytes each."""
    packed, crc, _ = zeros(1000)
    return by_hand(*((f"images/{number}.png", packed, crc, 0xFFFF_FFF0) for number in range(6)))


def bomb() -> bytes:
    """1.2 GB of zeros in a megabyte, in ten entries of an acceptable size."""
    packed, crc, size = zeros(120_000_000)
    return by_hand(*((f"images/{number}.bmp", packed, crc, size) for number in range(10)))


def overlapping(entries: int = 100) -> bytes:
    """A quoted-overlap bomb: the packed bytes of each entry hold the next one's header, and all share one kernel."""
    packed, crc, size = zeros(1_000_000)
    data = bytearray(
        by_hand(
            *((f"{number:04}.png", packed if number == entries - 1 else b"", crc, size) for number in range(entries))
        )
    )
    start = data.index(b"PK\x01\x02")
    for number in range(entries):
        header = number * (30 + 8)
        for place in (header + 18, start + number * (46 + 8) + 20):
            struct.pack_into("<L", data, place, start - header - 30 - 8)
    return bytes(data)


def same_bytes_twice() -> bytes:
    """A second directory record for the first entry's bytes."""
    data = bytearray(GOOD)
    start = data.index(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    name_length = struct.unpack_from("<H", data, start + 28)[0]
    record = data[start : start + 46 + name_length]
    data[end:end] = record
    end += len(record)
    count = struct.unpack_from("<H", data, end + 8)[0] + 1
    struct.pack_into("<2HL", data, end + 8, count, count, end - start)
    return bytes(data)


def crowded(entries: int = 100_000) -> bytes:
    """So many empty files."""
    return zipped((f"images/{number}.png", b"") for number in range(entries))


def lying_about_its_count() -> bytes:
    """100,000 entries, of which the end of the directory owns up to one."""
    data = bytearray(crowded(60_000))
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<2H", data, end + 8, 1, 1)
    return bytes(data)


def with_links() -> bytes:
    """A good archive with a symbolic link and a device among its entries."""
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, kind in (("images/link.png", stat.S_IFLNK), ("images/device.png", stat.S_IFBLK)):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def wrong_checksum() -> bytes:
    """A good archive whose last image was changed after it was packed."""
    data = bytearray(
        zipped({"data.yaml": "names: [dent]", "labels/a.txt": "", "images/a.png": photo("a")}, stored=True)
    )
    data[data.index(b"IDAT") + 8] ^= 0xFF
    return bytes(data)


def polyglot() -> bytes:
    """A photograph and a zip in one file: an image to whoever reads from the start, a zip from the end."""
    return photo("a", "JPEG") + GOOD


NAMES = [
    "../images/evil.png", "images/../../evil.png", "/etc/evil.png", "\\\\host\\evil.png", "C:\\evil.png",
    "images\\..\\..\\evil.png", "..\\evil.png", "c:evil.png",
]  # fmt: skip


def slipping() -> bytes:
    """A good archive, and entries named to land elsewhere."""
    return yolo_zip({"a.png": "0 0.5 0.5 0.1 0.1"}, more={name: photo(name) for name in NAMES})


#: What the check says of an archive that is refused as a whole.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty file": (lambda: b"", "not_a_zip"),
    "text": (lambda: b"hello, this is no zip", "not_a_zip"),
    "empty zip": (lambda: zipped({}), "archive_empty"),
    "polyglot": (polyglot, "not_a_zip"),
    "prefixed zip": (lambda: b"PK\x03\x04" + b"\0" * 96 + GOOD, "not_a_zip"),
    "truncated": (lambda: GOOD[:-30], "archive_damaged"),
    "half": (lambda: GOOD[: len(GOOD) // 2], "archive_damaged"),
    "directory cut": (lambda: GOOD.replace(b"PK\x01\x02", b"PK\x01\x03"), "archive_damaged"),
    "encrypted": (encrypted, "archive_encrypted"),
    "too large unpacked": (says_it_is_huge, "archive_too_large"),
    "overlapping": (overlapping, "archive_overlapping"),
    "same bytes twice": (same_bytes_twice, "archive_overlapping"),
    "bomb": (bomb, "archive_bomb"),
    "100,000 entries": (crowded, "archive_too_many_entries"),
    "lying count": (lying_about_its_count, "archive_too_many_entries"),
    "no labels": (lambda: zipped({"images/a.png": photo("a")}), "archive_format_unknown"),
    "two formats": (
        lambda: yolo_zip({"a.png": ""}, more={"x.json": '{"images":[],"annotations":[]}'}),
        "archive_ambiguous",
    ),
    "deep JSON": (lambda: zipped({"x.json": "[" * 1_000_000}), "archive_format_unknown"),
}
