"""A zip that depends on nothing but what goes into it: no dates, no owners, the order in which it is given."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: The first day that a zip can name.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3
_CHUNK: Final = 1024 * 1024


class ZipWriter:
    """Texts are packed; images are stored as they are, since they are packed already."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive

    def add_text(self, path: str, data: bytes) -> None:
        info = _info(path, zipfile.ZIP_DEFLATED)
        self._zip.writestr(info, data)

    def add_file(self, path: str, source: Path) -> None:
        info = _info(path, zipfile.ZIP_STORED)
        info.file_size = source.stat().st_size
        with source.open("rb") as file, self._zip.open(info, "w") as entry:
            shutil.copyfileobj(file, entry, _CHUNK)


@contextmanager
def writing(target: Path) -> Iterator[ZipWriter]:
    """A new zip at `target`, whole when the `with` ends."""
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        yield ZipWriter(archive)


def _info(path: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, date_time=_DATE)
    info.compress_type = method
    info.create_system = _UNIX
    info.external_attr = _MODE
    return info
