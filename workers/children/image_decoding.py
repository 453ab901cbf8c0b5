"""Decode one image file of unknown intent, and write what is kept of it: pixels, upright, and nothing else.

Runs in the decode child only. What is written is encoded from the pixels, so whatever else the file carried
ends here: EXIF with its GPS position and serial numbers, XMP, comments, thumbnails, a second file glued to
the tail.

* Colour profiles are dropped without converting: the pixels stay what the camera gave, as on the edge device,
  where no profile arrives; and a profile is a program-like thing from a stranger that need not be run.
* Transparency is flattened on white, as browsers show it: what lies under transparent pixels is arbitrary.
* JPEG stays JPEG with its own quantisation tables, which costs next to no quality; turned upright, it is
  encoded at 95 without chroma subsampling. All else becomes PNG, lossless.
"""

from __future__ import annotations

import io
import mmap
import warnings
from dataclasses import dataclass
from typing import IO, Final

from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from projects.domain.decoding import ACCEPTED_TYPES, THUMBNAIL_SIDE, TYPE_ALIASES, DecodeCode
from workers.children import image_headers
from workers.children.image_headers import Foreign
from workers.children.png_writing import write_png
from workers.children.refusals import Refused

#: Made directly, not by Image.open: it would take a JPEG with a second picture behind it (as phones write)
#: for MPO.
_READERS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/bmp": BmpImagePlugin.BmpImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
}
_CHECKS: Final = {
    "image/jpeg": image_headers.check_jpeg,
    "image/png": image_headers.check_png,
    "image/webp": image_headers.check_webp,
}
_NAMES: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/webp": "WebP",
}

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

#: Orientations in which width and height change places.
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_HEAD: Final = 4096
_STRIP_PIXELS: Final = 1 << 20
#: Memory of this size is used again; larger pieces come fresh from the kernel each time, at a millisecond a picture.
_SMALL_STRIP_PIXELS: Final = 1 << 16
_TIFF_BITS: Final = 258
_EXIF_ORIENTATION: Final = 274
_MODES: Final = frozenset(["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"])


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was found and written; ``near_hash`` as in ``DecodedImage``."""

    stored_type: str
    width: int
    height: int
    near_hash: str
    orientation: int


def decode(source: IO[bytes], *, declared_type: str, stored: IO[bytes], thumbnail: IO[bytes]) -> Decoded:
    """Decode ``source``, write the cleaned image and its thumbnail, both from their start.

    Raises ``Refused`` for a file that is not taken and ``MemoryError`` for one that needs too much memory.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's grumbling about odd metadata; what matters is checked here
        picture, content_type, orientation = _decoded(source, declared_type)
        picture.info.clear()  # some encoders take profile and comment from there
        if content_type == "image/jpeg":
            _write_jpeg(picture, stored)
        else:
            write_png(picture, stored)
        small = _shrunk(picture)
        small.save(thumbnail, format="WEBP", quality=80, method=4)
    return Decoded(
        stored_type="image/jpeg" if content_type == "image/jpeg" else "image/png",
        width=picture.width,
        height=picture.height,
        near_hash=_difference_hash(small),
        orientation=orientation,
    )


def read_pixels(source: IO[bytes], *, declared_type: str | None, target: IO[bytes]) -> tuple[int, int]:
    """Write the pixels of ``source``, RGB and upright, row by row from where ``target`` stands.

    Returns width and height; raises like ``decode``. Without a ``declared_type`` any that is taken will do.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture, _, _ = _decoded(source, declared_type)
        rows = max(1, _SMALL_STRIP_PIXELS // picture.width)
        for top in range(0, picture.height, rows):  # in strips: whole, it would take two copies more
            strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
            target.write((strip if strip.mode == "RGB" else strip.convert("RGB")).tobytes())
    return picture.width, picture.height


def measure(data: bytes) -> tuple[str, int, int]:
    """Return the type of a file, and width and height of its upright picture, as the headers say; decode no pixel.

    Raises ``Refused`` for what ``decode`` would refuse by the headers, and ``MemoryError``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = image_headers.sniff(data[:_HEAD])
        if isinstance(found, Foreign):
            raise found.refusal()
        if found in _CHECKS:
            _CHECKS[found](data)
        picture, orientation = _opened(io.BytesIO(data), found)
    width, height = picture.size
    return (found, height, width) if orientation in _SIDEWAYS else (found, width, height)


def _decoded(source: IO[bytes], declared_type: str | None) -> tuple[Image.Image, str, int]:
    """Return the picture (L or RGB, upright), the type of its file, and the orientation that was undone."""
    content_type = _content_type(source, declared_type)
    original, orientation = _read(source, content_type)
    picture = _flattened(original)
    del original  # one copy less in memory while it is turned
    if content_type != "image/tiff":  # Pillow has turned a TIFF already
        picture = _upright(picture, orientation)
    return picture, content_type, orientation


def _content_type(source: IO[bytes], declared_type: str | None) -> str:
    """Return the type that the bytes are of; refuse one not taken or not declared, and bad headers."""
    source.seek(0)
    found = image_headers.sniff(source.read(_HEAD))
    if isinstance(found, Foreign):
        raise found.refusal()
    if declared_type is not None and found != TYPE_ALIASES.get(declared_type, declared_type):
        raise Refused(
            DecodeCode.TYPE_MISMATCH,
            f"is a {_NAMES[found]}, but was declared {declared_type}",
            f"Rename it to {ACCEPTED_TYPES[found]}, or declare {found}.",
        )
    if found in _CHECKS:
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _CHECKS[found](data)
    return found


def _read(source: IO[bytes], content_type: str) -> tuple[ImageFile.ImageFile, int]:
    """Open and decode; return the picture and its EXIF orientation."""
    source.seek(0)
    picture, orientation = _opened(source, content_type)
    try:
        picture.load()
    except MemoryError:
        raise
    except Exception as error:
        if "memory" in str(error):
            raise MemoryError from error
        raise Refused(
            DecodeCode.TRUNCATED,
            "is cut short or damaged: not all of it can be decoded",
            "Export or copy it again.",
        ) from error
    return picture, orientation


def _opened(source: IO[bytes], content_type: str) -> tuple[ImageFile.ImageFile, int]:
    """Open, with no pixel decoded; return the picture and its EXIF orientation."""
    try:
        picture = _READERS[content_type](source)
    except (MemoryError, Refused):
        raise
    except Exception as error:  # Pillow's readers raise nearly anything on a hostile header
        raise image_headers.damaged(_NAMES[content_type]) from error
    _check_opened(picture, content_type)
    return picture, _orientation(picture)


def _check_opened(picture: ImageFile.ImageFile, content_type: str) -> None:
    """Refuse, before any pixel is decoded, what is too large or of a kind that is not taken."""
    image_headers.check_size(picture.width, picture.height, content_type=content_type)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        bits = picture.tag_v2.get(_TIFF_BITS, (1,))
        if max(bits) > 8:
            raise image_headers.sixteen_bit(max(bits))
        if picture.tag_v2.next:
            raise image_headers.animated("is a TIFF of several pages")
    if getattr(picture, "n_frames", 1) > 1:
        raise image_headers.animated("holds several pictures")
    if picture.mode == "CMYK":
        raise image_headers.cmyk()
    if picture.mode.startswith(("I", "F")):
        raise image_headers.sixteen_bit(16 if picture.mode.startswith("I;16") else 32)
    if picture.mode not in _MODES:
        raise Refused(DecodeCode.UNSUPPORTED_TYPE, f"has colours of the kind {picture.mode}", "Convert it to RGB.")


def _orientation(picture: ImageFile.ImageFile) -> int:
    try:
        value = picture.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken EXIF is no reason to refuse a good picture
        return 1
    return int(value) if value in _UPRIGHT else 1


def _flattened(picture: Image.Image) -> Image.Image:
    """Return ``picture`` as L or RGB, itself if it is one already."""
    grey = picture.mode in ("1", "L", "LA", "La")
    if not picture.has_transparency_data:
        target = "L" if grey else "RGB"
        return picture if picture.mode == target else picture.convert(target)
    flat = Image.new("L" if grey else "RGB", picture.size)
    rows = max(1, _STRIP_PIXELS // picture.width)
    opaque = _is_alpha_unused(picture)
    for top in range(0, picture.height, rows):  # in strips: whole, it would take three copies of the picture
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height))).convert("RGBA")
        if not opaque:
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        flat.paste(strip.convert(flat.mode), (0, top))
    return flat


def _is_alpha_unused(picture: Image.Image) -> bool:
    """Tell whether all of it is transparent: some cameras' 32-bit BMPs leave the fourth byte zero."""
    return "A" in picture.getbands() and picture.getchannel("A").getextrema() == (0, 0)


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return picture if method is None else picture.transpose(method)


def _write_jpeg(picture: Image.Image, stored: IO[bytes]) -> None:
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        try:
            picture.save(stored, format="JPEG", quality="keep", progressive=False)
        except (ValueError, OSError):  # tables that a decoder takes and an encoder does not
            stored.seek(0)
            stored.truncate()
        else:
            return
    picture.save(stored, format="JPEG", quality=95, subsampling=0)


def _shrunk(picture: Image.Image) -> Image.Image:
    """Return it with its longer side at most THUMBNAIL_SIDE pixels, never enlarged."""
    scale = THUMBNAIL_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _difference_hash(picture: Image.Image) -> str:
    """Return 64 bits, row by row: is the pixel darker than its right neighbour, on a grid of 9 by 8?"""
    grid = picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS).tobytes()
    value = 0
    for row in range(8):
        for column in range(row * 9, row * 9 + 8):
            value = value << 1 | (grid[column] < grid[column + 1])
    return f"{value:016x}"
