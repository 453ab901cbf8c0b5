"""Files as a factory has them: photographs of its parts, and what its clients say of them."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image as Picture

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "BMP": "image/bmp", "TIFF": "image/tiff", "WEBP": "image/webp"}


@dataclass(frozen=True)
class File:
    """A named file, and the type its owner believes it to have."""

    name: str
    data: bytes
    content_type: str = "image/jpeg"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def item(self, **changes: Any) -> dict[str, Any]:
        """What a client registers; `changes` add to it, or falsify it."""
        said = {"filename": self.name, "size": len(self.data), "sha256": self.sha256, "content_type": self.content_type}
        return said | changes


def picture(seed: str, width: int = 48, height: int = 36, mode: str = "RGB") -> Picture.Image:
    """A picture without symmetry, another one for each seed."""
    shade = hashlib.sha256(seed.encode()).digest()
    drawn = Picture.linear_gradient("L").resize((width, height)).convert("RGB")
    drawn.paste(tuple(shade[:3]), (0, 0, width // 3, height // 4))
    drawn.paste(tuple(shade[3:6]), (width - width // 5, 0, width, height // 2))
    return drawn.convert(mode)


def encoded(drawn: Picture.Image, form: str = "JPEG", **options: Any) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    drawn.save(buffer, format=form, **options)
    return buffer.getvalue()


def photograph(seed: str = "casing", form: str = "JPEG", **options: Any) -> File:
    """A small good photograph, named after its seed."""
    extension = {"JPEG": "jpg"}.get(form, form.lower())
    return File(f"{seed}.{extension}", encoded(picture(seed), form, **options), TYPES[form])


def photographs(count: int) -> list[File]:
    """So many different ones."""
    return [photograph(f"casing-{number}") for number in range(count)]


def described(number: int, **changes: Any) -> dict[str, Any]:
    """A file that is only spoken of: what its client says, without bytes behind it."""
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    said = {"filename": f"{number}.jpg", "size": 1000, "sha256": sha256, "content_type": "image/jpeg"}
    return said | changes
