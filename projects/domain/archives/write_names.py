"""What images are called in a zip: as they are called in the project, as far as every system can unpack that.

Their own names stand in the sidecar.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final

EXTENSIONS: Final = {"image/jpeg": ".jpg", "image/png": ".png"}
#: A name that says the same of an image; it is kept as it is.
_ALSO: Final = {".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".png": "image/png"}
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*]')
#: Bytes. File systems take 255, to which an extension and a number are added.
_MAX_STEM: Final = 180
#: What Windows keeps to itself, and what readers of data sets take for lists of names, or for no data at all.
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d|classes|labels|train|val|valid|test|requirements|notes|obj|desktop|thumbs"
    r"|_darknet|readme.*|licen[cs]e.*)(\..*)?",
    re.IGNORECASE,
)


def entry_names(images: Iterable[tuple[str, str]]) -> list[str]:
    """Filename and stored type of each image → its name in the zip.

    No two differ by their extension or their case alone: VOC and YOLO find an image's labels by what stands before
    the extension, and some file systems know no case.
    """
    taken: set[str] = set()
    return [_distinct(filename, content_type, taken) for filename, content_type in images]


def _distinct(filename: str, content_type: str, taken: set[str]) -> str:
    path = PurePosixPath(filename.replace("\\", "/"))
    extension = path.suffix if _ALSO.get(path.suffix.lower()) == content_type else EXTENSIONS[content_type]
    stem = _safe(path.name.removesuffix(path.suffix))
    for chosen in _numbered(stem):
        key = chosen.casefold()
        if key not in taken:
            taken.add(key)
            return chosen + extension
    raise AssertionError("numbers end never")


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem} ({number})"
        number += 1


def _safe(stem: str) -> str:
    plain = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", stem))
    plain = "".join(letter if letter.isprintable() else "_" for letter in plain)
    plain = plain.encode()[:_MAX_STEM].decode(errors="ignore").strip(" .")
    if not plain or plain.startswith(("-", "~")) or _RESERVED.fullmatch(plain):
        return f"image_{plain}" if plain else "image"
    return plain
