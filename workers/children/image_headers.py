"""What can be learned from the bytes of an image file before any decoder sees them.

Headers are read here rather than by Pillow where Pillow would be too lenient (16-bit samples reduced
silently, missing ends), or would already have allocated the canvas.
"""

from __future__ import annotations

import mmap
import re
import zlib
from dataclasses import dataclass
from typing import Final, TypeAlias

from projects.domain.decoding import MAX_PIXELS, MAX_SIDE, MAX_WEBP_PIXELS, DecodeCode
from workers.children.refusals import Refused

Bytes: TypeAlias = bytes | mmap.mmap

#: Every scan of a progressive JPEG passes over the whole picture again; encoders make about ten.
_MAX_JPEG_SCANS: Final = 50
_MAX_JPEG_SEGMENTS: Final = 10_000
_MAX_PNG_CHUNKS: Final = 200_000

_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Passes over compressed data (stuffed zeros, restarts), fill bytes and stray bytes, as decoders do.
_JPEG_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a file that is not taken turned out to be."""

    name: str
    is_picture: bool
    hint: str

    def refusal(self) -> Refused:
        """Say so."""
        if self.is_picture:
            return Refused(DecodeCode.UNSUPPORTED_TYPE, f"is {self.name}, which is not taken", self.hint)
        return Refused(DecodeCode.NOT_AN_IMAGE, f"is {self.name}, not an image", self.hint)


_CONVERT: Final = "Save it as JPEG or PNG."
_COPY_AGAIN: Final = "Copy it from the camera again."
_TAKEN: Final = "Upload JPEG, PNG, BMP, TIFF or WebP images."
_PHONE: Final = "Convert it to JPEG, or set the camera to save JPEG (on an iPhone: Formats, Most Compatible)."

_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0\x08\0", "image/tiff"),
    (b"MM\0+\0\x08", "image/tiff"),
)

_FOREIGN: Final = (
    (b"GIF8", Foreign("a GIF", True, _CONVERT)),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Foreign("a JPEG 2000 image", True, _CONVERT)),
    (b"\xff\x4f\xff\x51", Foreign("a JPEG 2000 image", True, _CONVERT)),
    (b"\0\0\0\x0cJXL \r\n\x87\n", Foreign("a JPEG XL image", True, _CONVERT)),
    (b"\xff\x0a", Foreign("a JPEG XL image", True, _CONVERT)),
    (b"8BPS", Foreign("a Photoshop document", True, _CONVERT)),
    (b"\0\0\x01\0", Foreign("an icon", True, _CONVERT)),
    (b"%PDF", Foreign("a PDF", False, "Export its pages as JPEG or PNG.")),
    (b"PK\x03\x04", Foreign("a zip archive", False, "Unpack it and upload the images in it.")),
    (b"PK\x05\x06", Foreign("a zip archive", False, _TAKEN)),
    (b"\x1f\x8b", Foreign("a gzip archive", False, "Unpack it and upload the images in it.")),
    (b"MZ", Foreign("a program", False, _TAKEN)),
    (b"\x7fELF", Foreign("a program", False, _TAKEN)),
)

_PRINTABLE: Final = bytes([*range(32, 127), *b"\t\r\n"])

_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "an HEIC image"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF image"),
}


def sniff(head: bytes) -> str | Foreign:
    """Tell a file's type from its first few kilobytes: an accepted content type, or what else it is."""
    for magic, content_type in _MAGIC:
        if head.startswith(magic):
            return content_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for magic, foreign in _FOREIGN:
        if head.startswith(magic):
            return foreign
    if head[4:8] == b"ftyp":
        return Foreign(_BRANDS.get(head[8:12], "a video"), head[8:12] in _BRANDS, _PHONE)
    return _sniff_text(head)


def check_size(width: int, height: int, *, content_type: str) -> None:
    """Refuse a picture without pixels, or with more than decoding it within the memory limit allows."""
    if width < 1 or height < 1:
        raise Refused(DecodeCode.TOO_NARROW, f"says that it is {width} by {height} pixels", "Save or export it again.")
    most = MAX_WEBP_PIXELS if content_type == "image/webp" else MAX_PIXELS
    if width > MAX_SIDE or height > MAX_SIDE or width * height > most:
        raise Refused(
            DecodeCode.TOO_MANY_PIXELS,
            f"is {width:,} by {height:,} pixels; {most // 10**6} million and {MAX_SIDE:,} a side at most",
            "Scale it down, or cut it into tiles.",
        )


def check_jpeg(data: Bytes) -> None:
    """Walk a JPEG's markers to its end: frame header, number of scans, completeness. Raises ``Refused``."""
    position, scans, framed = 2, 0, False
    for _ in range(_MAX_JPEG_SEGMENTS):
        found = _JPEG_NEXT_MARKER.search(data, position)
        if found is None:
            raise _cut_short()
        marker, position = data[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        size = int.from_bytes(data[position : position + 2], "big")
        if size < 2 or position + size > len(data):
            raise _cut_short()
        if marker in _JPEG_FRAMES and not framed:
            _check_jpeg_frame(data[position + 2 : position + size])
            framed = True
        position += size
        scans += marker == 0xDA
        if scans > _MAX_JPEG_SCANS:
            raise Refused(
                DecodeCode.DECODE_TIMEOUT,
                f"is a progressive JPEG of more than {_MAX_JPEG_SCANS} scans, which takes too long",
                "Save it again as a baseline JPEG.",
            )
    if not framed or not scans:
        raise damaged("JPEG")


def check_png(data: Bytes) -> None:
    """Walk a PNG's chunks to IEND: size, bit depth, animation, completeness. Raises ``Refused``."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise _cut_short() if len(data) < 33 else damaged("PNG")
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
    check_size(width, height, content_type="image/png")
    if data[24] > 8:
        raise sixteen_bit(data[24])
    position = 8
    for _ in range(_MAX_PNG_CHUNKS):
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + size
        if end > len(data):
            raise _cut_short()
        if name[:1].isupper() and not _is_chunk_sound(data, position + 4, end - 4):
            raise Refused(DecodeCode.TRUNCATED, "is damaged: its check sum is wrong", _COPY_AGAIN)
        if name == b"IEND":
            return
        if name == b"acTL" and int.from_bytes(data[position + 8 : position + 12], "big") > 1:
            raise animated("is an animated PNG")
        position = end
    raise damaged("PNG")


def check_webp(data: Bytes) -> None:
    """Read a WebP's first chunk: size, animation, completeness. Raises ``Refused``."""
    if len(data) < 30 or 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise _cut_short()
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[start : start + 3], "little") + 1 for start in (24, 27))
        if data[20] & 0b10:
            raise animated("is an animated WebP")
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(data[start : start + 2], "little") & 0x3FFF for start in (26, 28))
    else:
        raise damaged("WebP")
    check_size(width, height, content_type="image/webp")


def damaged(name: str) -> Refused:
    """Say that a file begins like an image and does not go on like one."""
    return Refused(DecodeCode.NOT_AN_IMAGE, f"begins like a {name} but cannot be read as one", "Export it again.")


def animated(message: str) -> Refused:
    """Say that a file holds several pictures."""
    return Refused(DecodeCode.ANIMATED, message, "Upload each picture as a file of its own.")


def sixteen_bit(bits: int) -> Refused:
    """Say that a file's samples are wider than a byte."""
    return Refused(
        DecodeCode.SIXTEEN_BIT,
        f"has {bits} bits per channel; 8 are taken",
        "Convert it to 8 bits per channel, with the same scaling for all your images.",
    )


def cmyk() -> Refused:
    """Say that a file's colours are those of print."""
    return Refused(DecodeCode.CMYK, "is in CMYK, the colours of print", "Convert it to RGB.")


def _cut_short() -> Refused:
    return Refused(DecodeCode.TRUNCATED, "is cut short: the end of the image is missing", _COPY_AGAIN)


def _sniff_text(head: bytes) -> Foreign:
    text = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return Foreign("a web page", False, "Download the image itself, not the page that shows it.")
    if b"<svg" in text:
        return Foreign("an SVG drawing", True, _CONVERT)
    if b"\0" not in text and not text.translate(None, _PRINTABLE):
        return Foreign("a text file", False, _TAKEN)
    return Foreign("of an unknown format", False, _TAKEN)


def _check_jpeg_frame(frame: bytes) -> None:
    if len(frame) < 6:
        raise _cut_short()
    if frame[0] > 8:
        raise sixteen_bit(frame[0])
    check_size(int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big"), content_type="image/jpeg")
    if frame[5] == 4:
        raise cmyk()


def _is_chunk_sound(data: Bytes, start: int, end: int) -> bool:
    """Compare the check sum at ``end`` with the bytes before it; Pillow does not, for the pixels."""
    with memoryview(data) as view, view[start:end] as covered:
        return zlib.crc32(covered) == int.from_bytes(view[end : end + 4], "big")
