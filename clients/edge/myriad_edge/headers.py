"""What the bytes of an image file tell before a decoder sees them: its type, size, depth, and whether it is whole.

The service refuses by the same rules. They are read here and not by Pillow, which would reduce 16-bit samples
silently, pass over missing ends and wrong check sums, or have made the canvas before its size can be looked at.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from myriad_edge.errors import BadImage

MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 20_000
#: The WebP library holds three copies of the canvas at once.
MAX_WEBP_PIXELS: Final = 24_000_000

_MAGIC: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0\x08\0", "TIFF"),
    (b"MM\0+\0\x08", "TIFF"),
)
#: Every scan of a progressive JPEG passes over the whole picture again; encoders make about ten.
_MAX_JPEG_SCANS: Final = 50
_MAX_JPEG_SEGMENTS: Final = 10_000
_MAX_PNG_CHUNKS: Final = 200_000
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Passes over compressed data (stuffed zeros, restarts) and fill bytes, as decoders do.
_JPEG_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)


def check_headers(data: bytes) -> str:
    """Give the type of a file, by its bytes and not its name; raises BadImage for what is not taken."""
    if not data:
        raise BadImage("empty_file", "is empty", "Copy it again.", may_heal=True)
    form = next((form for magic, form in _MAGIC if data.startswith(magic)), None)
    if form is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        form = "WEBP"
    if form is None:
        hint = "Save JPEG, PNG, BMP, TIFF or WebP images."
        raise BadImage("not_an_image", "is not an image of a kind that is taken", hint, may_heal=True)
    if form in _CHECKS:
        _CHECKS[form](data)
    return form


def check_size(width: int, height: int, form: str = "") -> None:
    """Refuse a picture without pixels, or with more than are decoded."""
    most = MAX_WEBP_PIXELS if form == "WEBP" else MAX_PIXELS
    if width < 1 or height < 1:
        raise damaged()
    if width > MAX_SIDE or height > MAX_SIDE or width * height > most:
        raise BadImage(
            "too_many_pixels",
            f"is {width:,} by {height:,} pixels; {most // 10**6} million and {MAX_SIDE:,} a side at most",
            "Scale it down, or cut it into tiles.",
        )


def sixteen_bit(bits: int) -> BadImage:
    """Say that a file's samples are wider than a byte: which of them count, only whoever took the image knows."""
    return BadImage(
        "sixteen_bit",
        f"has {bits} bits per channel; 8 are taken",
        "Convert it to 8 bits per channel, scaled as the images were that the model learnt from.",
    )


def animated() -> BadImage:
    return BadImage("animated", "holds several pictures", "Save each picture as a file of its own.")


def cmyk() -> BadImage:
    return BadImage("cmyk", "is in CMYK, the colours of print", "Convert it to RGB.")


def damaged() -> BadImage:
    return BadImage("not_an_image", "begins like an image but cannot be read as one", "Save it again.", may_heal=True)


def cut_short() -> BadImage:
    return BadImage("truncated", "is cut short or damaged", "Copy it from the camera again.", may_heal=True)


def _check_jpeg(data: bytes) -> None:
    """Walk the markers to the end of the image."""
    position, scans, framed = 2, 0, False
    for _ in range(_MAX_JPEG_SEGMENTS):
        found = _JPEG_NEXT_MARKER.search(data, position)
        if found is None:
            raise cut_short()
        marker, position = data[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        size = int.from_bytes(data[position : position + 2], "big")
        if size < 2 or position + size > len(data):
            raise cut_short()
        if marker in _JPEG_FRAMES and not framed:
            _check_jpeg_frame(data[position + 2 : position + size])
            framed = True
        position += size
        scans += marker == 0xDA
        if scans > _MAX_JPEG_SCANS:
            raise BadImage("too_slow", f"has more than {_MAX_JPEG_SCANS} scans", "Save it as a baseline JPEG.")
    if not framed or not scans:
        raise damaged()


def _check_jpeg_frame(frame: bytes) -> None:
    if len(frame) < 6:
        raise cut_short()
    if frame[0] > 8:
        raise sixteen_bit(frame[0])
    check_size(int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big"))
    if frame[5] == 4:
        raise cmyk()


def _check_png(data: bytes) -> None:
    """Walk the chunks to IEND, with the check sums of those that matter."""
    _check_png_header(data[:33])
    position = 8
    for _ in range(_MAX_PNG_CHUNKS):
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + size
        if end > len(data):
            raise cut_short()
        if name[:1].isupper():
            _check_sum(data, position + 4, end - 4)
        if name == b"IEND":
            return
        if name == b"acTL" and int.from_bytes(data[position + 8 : position + 12], "big") > 1:
            raise animated()
        position = end
    raise damaged()


def _check_png_header(head: bytes) -> None:
    if len(head) < 33:
        raise cut_short()
    if head[12:16] != b"IHDR":
        raise damaged()
    check_size(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
    if head[24] > 8:
        raise sixteen_bit(head[24])


def _check_sum(data: bytes, start: int, end: int) -> None:
    """Hold a chunk against the check sum behind it; Pillow does not, for the pixels."""
    if zlib.crc32(memoryview(data)[start:end]) != int.from_bytes(data[end : end + 4], "big"):
        raise cut_short()


def _check_webp(data: bytes) -> None:
    """Read the first chunk."""
    if len(data) < 30 or 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise cut_short()
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[start : start + 3], "little") + 1 for start in (24, 27))
        if data[20] & 0b10:
            raise animated()
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(data[start : start + 2], "little") & 0x3FFF for start in (26, 28))
    else:
        raise damaged()
    check_size(width, height, "WEBP")


_CHECKS: Final = {"JPEG": _check_jpeg, "PNG": _check_png, "WEBP": _check_webp}
