"""An image file's bytes as the pixels that a model is given: RGB of 8 bits, upright, by the rules of the service.

A model was evaluated on images that the service decoded, so what the service refuses is refused here too, and what it
takes becomes the same pixels: colour profiles are dropped without converting, and transparency lies on white.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from myriad_edge.errors import BadImage
from myriad_edge.headers import animated, check_headers, check_size, cmyk, cut_short, damaged, sixteen_bit

Pixels = npt.NDArray[np.uint8]  # (height, width, 3)

#: Made directly, not by Image.open: it would take a JPEG with a second picture behind it (as phones write) for MPO.
_READERS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
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
_MODES: Final = frozenset(["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"])
_TIFF_BITS: Final = 258
_EXIF_ORIENTATION: Final = 274


def decode(data: bytes) -> Pixels:
    """Give the pixels; raises BadImage for a file that is not taken, cut short, or too large for this device."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's grumbling about odd metadata; what matters is checked here
        try:
            return np.asarray(_picture(data, check_headers(data)))
        except MemoryError as error:
            raise BadImage("too_little_memory", "needs more memory than there is", "Scale it down.") from error


def _picture(data: bytes, form: str) -> Image.Image:
    try:
        picture = _READERS[form](io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise nearly anything on a damaged header
        raise damaged() from error
    _check_opened(picture, form)
    orientation = _orientation(picture)
    try:
        picture.load()
    except MemoryError:
        raise
    except Exception as error:
        raise cut_short() from error
    flat = _flattened(picture)
    if form != "TIFF" and orientation in _UPRIGHT:  # Pillow has turned a TIFF already
        flat = flat.transpose(_UPRIGHT[orientation])
    return flat.convert("RGB")


def _check_opened(picture: ImageFile.ImageFile, form: str) -> None:
    """Refuse, before any pixel is decoded, what is too large or of a kind that is not taken."""
    check_size(picture.width, picture.height, form)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        bits = max(picture.tag_v2.get(_TIFF_BITS, (1,)))
        if bits > 8:
            raise sixteen_bit(bits)
        if picture.tag_v2.next:
            raise animated()
    if getattr(picture, "n_frames", 1) > 1:
        raise animated()
    if picture.mode == "CMYK":
        raise cmyk()
    if picture.mode.startswith(("I", "F")):
        raise sixteen_bit(16 if picture.mode.startswith("I;16") else 32)
    if picture.mode not in _MODES:
        raise BadImage("unsupported_type", f"has colours of the kind {picture.mode}", "Convert it to RGB.")


def _orientation(picture: ImageFile.ImageFile) -> int:
    try:
        return int(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF is no reason to refuse a good picture
        return 1


def _flattened(picture: Image.Image) -> Image.Image:
    """Lay what is transparent on white."""
    if not picture.has_transparency_data:
        return picture
    grey = picture.mode in ("1", "L", "LA", "La")
    layer = picture.convert("RGBA")
    # All of it transparent: some cameras' 32-bit BMPs leave the fourth byte zero, and mean nothing by it.
    if "A" not in picture.getbands() or picture.getchannel("A").getextrema() != (0, 0):
        layer = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return layer.convert("L" if grey else "RGB")
