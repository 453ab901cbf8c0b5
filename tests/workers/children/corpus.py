"""Pictures and things that pretend to be some, made on the spot for the decoder's tests."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from projects.domain.decoding import DecodeRequest

GPS_MARK = b"SERIAL-4711-GPS"


def photo(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """A picture without any symmetry: a ramp with a bright corner."""
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    picture.paste((250, 120, 10), (0, 0, width // 3, height // 4))
    picture.paste((10, 60, 200), (width - width // 5, 0, width, height // 2))
    return picture.convert(mode)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    """Encode with Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **options)
    return buffer.getvalue()


def exif(orientation: int | None = None, *, gps: bool = False) -> Image.Exif:
    """EXIF with an orientation, or with a position and a serial number."""
    data = Image.Exif()
    if orientation is not None:
        data[0x0112] = orientation
    if gps:
        data[0xA431] = GPS_MARK.decode()
        data.get_ifd(0x8825)[1] = "N"
        data.get_ifd(0x8825)[2] = (48.0, 8.0, 14.25)
    return data


def chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))


def png_bomb(width: int, height: int, *, depth: int = 8) -> bytes:
    """A grey PNG of so many pixels, all zero, in as few bytes as zlib can."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, depth, 0, 0, 0, 0))
        + chunk(b"IDAT", b"".join(_zeros((width * depth // 8 + 1) * height)))
        + chunk(b"IEND", b"")
    )


def _zeros(count: int) -> Iterator[bytes]:
    compressor, block = zlib.compressobj(9), bytes(1 << 20)
    for _ in range(min(count >> 20, 64)):  # 64 MB of it will do: nobody is to read even that
        yield compressor.compress(block)
    yield compressor.flush()


def png_sixteen_bit() -> bytes:
    """An RGB PNG of 16 bits a channel, which Pillow would silently reduce to 8."""
    row = b"\0" + bytes(8 * 6)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack("!IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * 8))
        + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, *, bits: int = 8, compression: int = 1, strip: bytes = b"") -> bytes:
    """A grey TIFF of one strip; with ``compression`` 8 (deflate) and a short strip, a bomb."""
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, bits),
        (259, 3, compression),
        (262, 3, 1),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, len(strip)),
    ]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0) + strip


def webp_bomb() -> bytes:
    """A lossless WebP whose header says 16,383 by 16,383, the most that the format knows."""
    data = bytearray(encoded(photo(), "WEBP", lossless=True))
    start = data.index(b"VP8L") + 9
    data[start : start + 4] = struct.pack("<I", 16382 | 16382 << 14)
    return bytes(data)


def jpeg_with_size(width: int, height: int, **options: Any) -> bytes:
    """A JPEG whose header claims another size."""
    data = bytearray(encoded(photo(), "JPEG", **options))
    marker = b"\xff\xc2" if options.get("progressive") else b"\xff\xc0"
    start = data.index(marker) + 5
    data[start : start + 4] = struct.pack("!HH", height, width)
    return bytes(data)


def jpeg_of_many_scans(scans: int, width: int = 64, height: int = 48) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = encoded(photo(width, height), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def zip_file() -> bytes:
    """A zip archive with one script in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evil.sh", "rm -rf /")
    return buffer.getvalue()


def several(form: str, **options: Any) -> bytes:
    """Two pictures in one file: animated GIF, PNG, WebP, or a TIFF of two pages."""
    return encoded(photo(), form, save_all=True, append_images=[photo().rotate(90)], **options)


def request(folder: Path, name: str, data: bytes, declared_type: str, **changes: Any) -> DecodeRequest:
    """Write ``data`` under ``folder`` and ask to decode it; ``changes`` falsify what is declared."""
    path = folder / name
    path.write_bytes(data)
    fields = {
        "key": name.replace(".", "_"),
        "path": path,
        "declared_type": declared_type,
        "declared_sha256": hashlib.sha256(data).hexdigest(),
        "declared_size": len(data),
        "out_dir": folder / "out",
        "filename": name,
    }
    return DecodeRequest(**{**fields, **changes})
