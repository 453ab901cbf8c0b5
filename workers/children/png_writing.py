"""Write a PNG three times as fast as Pillow does, in a few megabytes of memory.

Pillow tries all five filters on every row, which takes 2 of the 3 seconds for 40 megapixels. One filter for
all ("up": the difference to the pixel above), computed by Pillow's own subtraction, costs next to nothing; on
photographs of metal and boards the files came out within 13 % of Pillow's, now smaller, now larger.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO, Final

from PIL import Image, ImageChops

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES: Final = {"L": 0, "RGB": 2}
_FILTER_UP: Final = b"\x02"
_STRIP_PIXELS: Final = 1 << 20

#: Looking for repetitions pays where R, G and B are equal (a grey picture saved as colour: half the size),
#: and takes a second for 16 megapixels; above that, and for grey ones, only runs are looked for.
_LARGE_PIXELS: Final = 16_000_000


def write_png(picture: Image.Image, target: IO[bytes]) -> None:
    """Write ``picture`` (mode L or RGB) and nothing else; equal pixels give equal bytes."""
    width, height = picture.size
    row_size = width * len(picture.getbands())
    runs_only = picture.mode == "L" or width * height > _LARGE_PIXELS
    compressor = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE if runs_only else zlib.Z_FILTERED)
    target.write(_SIGNATURE)
    _write_chunk(target, b"IHDR", struct.pack("!IIBBBBB", width, height, 8, _COLOUR_TYPES[picture.mode], 0, 0, 0))
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = picture.crop((0, top, width, bottom))
        above = picture.crop((0, top - 1, width, bottom - 1))  # outside of the picture it is black, as PNG wants it
        data = ImageChops.subtract_modulo(strip, above).tobytes()
        filtered = b"".join(
            part for start in range(0, len(data), row_size) for part in (_FILTER_UP, data[start : start + row_size])
        )
        _write_chunk(target, b"IDAT", compressor.compress(filtered))
    _write_chunk(target, b"IDAT", compressor.flush())
    _write_chunk(target, b"IEND", b"")


def _write_chunk(target: IO[bytes], name: bytes, data: bytes) -> None:
    if not data and name == b"IDAT":
        return
    target.write(struct.pack("!I", len(data)) + name)
    target.write(data)
    target.write(struct.pack("!I", zlib.crc32(data, zlib.crc32(name))))
