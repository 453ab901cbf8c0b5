"""What is asked of a decoder and what it gives back: plain values, no Django and no image library.

The decoder itself lives in ``workers`` (a sandboxed child process); this side knows only the Protocol. The
limits stand here because the upload API refuses by them before a byte is sent, and the decoder refuses by
them afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

#: Content types that are taken, with the file extension that a person would use.
ACCEPTED_TYPES: Final = MappingProxyType(
    {
        "image/jpeg": ".jpg",
        "image/png": ".png",
        "image/bmp": ".bmp",
        "image/tiff": ".tiff",
        "image/webp": ".webp",
    }
)

#: Other spellings of the same, as browsers and operating systems send them.
TYPE_ALIASES: Final = MappingProxyType(
    {
        "image/jpg": "image/jpeg",
        "image/pjpeg": "image/jpeg",
        "image/x-png": "image/png",
        "image/x-ms-bmp": "image/bmp",
        "image/x-bmp": "image/bmp",
        "image/tif": "image/tiff",
    }
)

MAX_BATCH: Final = 200

#: A 40-megapixel RGB image takes 160 MB decoded and 320 MB while it is turned upright, which fits the
#: decoder's 512 MiB; industrial cameras stop at about 25 megapixels, line scanners at about 16,384 pixels a
#: line.
MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 20_000

#: The WebP library holds three copies of the canvas at once (16 bytes a pixel with the result).
MAX_WEBP_PIXELS: Final = 24_000_000

THUMBNAIL_SIDE: Final = 320


class DecodeCode(StrEnum):
    """Why an image was refused; the value is the API's ``error.code``."""

    EMPTY_FILE = "empty_file"
    SIZE_MISMATCH = "size_mismatch"
    HASH_MISMATCH = "hash_mismatch"
    TYPE_MISMATCH = "type_mismatch"
    UNSUPPORTED_TYPE = "unsupported_type"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_NARROW = "too_narrow"
    SIXTEEN_BIT = "sixteen_bit"
    CMYK = "cmyk"
    ANIMATED = "animated"
    DECODE_CRASHED = "decode_crashed"
    DECODE_TIMEOUT = "decode_timeout"
    DECODE_MEMORY = "decode_memory"


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """One file to decode.

    ``key`` names the file in the batch and in ``out_dir`` (letters, digits, ``-`` and ``_``; an image id
    does). ``path`` is the downloaded file; the ``declared_`` values are what the customer announced.
    ``filename`` is the customer's name of it, used in messages only. ``out_dir`` belongs to one tenant and is
    made when missing.
    """

    key: str
    path: Path
    declared_type: str
    declared_sha256: str
    declared_size: int
    out_dir: Path
    filename: str = ""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A file that was decoded, turned upright, stripped of metadata and encoded again.

    ``sha256`` and the announced size were verified. ``stored_type`` is ``image/jpeg`` (from JPEG) or
    ``image/png`` (from all else); the file at ``stored_path`` and the WebP at ``thumbnail_path`` lie in
    ``out_dir`` and are the caller's to upload and delete. ``width`` and ``height`` are those of the upright
    image, in pixels. ``near_hash`` is a 64-bit difference hash (16 hex digits): near-duplicates differ in few
    bits. ``orientation_applied`` is the EXIF orientation (1 to 8) that was undone; 1 is none.
    """

    key: str
    sha256: str
    stored_path: Path
    stored_sha256: str
    stored_type: str
    stored_size: int
    width: int
    height: int
    near_hash: str
    thumbnail_path: Path
    thumbnail_sha256: str
    thumbnail_size: int
    orientation_applied: int


@dataclass(frozen=True, slots=True)
class DecodeFailure:
    """A file that was refused, with what to tell the customer. Nothing of it is left in ``out_dir``."""

    key: str
    code: DecodeCode
    message: str
    hint: str


DecodeResult = DecodedImage | DecodeFailure


class Decoder(Protocol):
    """Decodes the files of one tenant where hostile bytes can do no harm."""

    def decode(
        self,
        batch: Sequence[DecodeRequest],
        *,
        on_result: Callable[[DecodeResult], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[DecodeResult]:
        """Decode up to ``MAX_BATCH`` files of one tenant, in order; each gives one result.

        ``on_result`` is called after each file, in the caller's thread. ``should_stop`` is asked before each
        file; once it says yes, the results so far are returned and the rest of the batch stays untouched. A
        bad file is a result, never an exception; ``ValueError`` is raised for a batch that is too long or has
        unfit or repeated keys, ``OSError`` for files of our own that cannot be read or written.
        """
        ...


@dataclass(frozen=True, slots=True)
class PixelRequest:
    """One stored file whose pixels are wanted: ours, and treated as a stranger's all the same.

    ``key`` as in ``DecodeRequest``. ``path`` is the file, or its bytes. ``width`` and ``height`` are what the
    upright image is known to measure. ``filename`` is the customer's name of it, used in messages only.
    """

    key: str
    path: Path | bytes
    declared_type: str
    width: int
    height: int
    filename: str = ""


@dataclass(frozen=True, slots=True)
class DecodedPixels:
    """Pixels as NumPy stores them: ``path`` is an ``.npy`` file of uint8 (height, width, 3), RGB, upright."""

    key: str
    path: Path
    width: int
    height: int


class PixelReader(Protocol):
    """Turns stored files of one tenant into pixels where hostile bytes can do no harm."""

    def read_pixels(
        self,
        batch: Sequence[PixelRequest],
        *,
        out_dir: Path,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[DecodedPixels | DecodeFailure]:
        """Decode up to ``MAX_BATCH`` files of one tenant, in order, to ``out_dir/KEY.npy``; grey becomes RGB.

        ``out_dir`` is made when missing. A file that is no picture, or one of another size than announced, is
        a result, never an exception. ``should_stop`` and what is raised as in ``Decoder.decode``.
        """
        ...


class PixelsRefused(Exception):
    """One picture was refused; ``message`` and ``hint`` are for who sent it."""

    def __init__(self, code: DecodeCode, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class PixelsUnavailable(Exception):
    """Nothing can be decoded just now, whatever was sent: to be tried again in a moment."""
