"""The archive child's program: reads one zip of labelled images, and gives out its entries when asked.

It knows no paths. First it is sent the zip and two files to write: a line an image, and a summary. After that, an
entry's number and a file for its bytes, any number of times.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import os
import socket
import sys
import traceback
import zipfile
from pathlib import Path
from typing import IO, Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

from PIL import Image

from projects.domain.archives.contents import MAX_IMAGE_BYTES, ArchiveRefused, Problems
from projects.domain.archives.lines import image_line, summary_line
from projects.domain.archives.reading import Measured, Reading
from projects.domain.archives.zip_entries import Entries, EntryUnreadable
from workers.children import sandbox
from workers.children.frames import Channel, Frame
from workers.children.image_decoding import measure
from workers.children.landlock import Paths
from workers.children.refusals import Refused

#: Images between two words of progress.
_PROGRESS_EVERY = 50


def main() -> None:
    """Confine this process, say so, then answer requests until the parent closes the socket."""
    confinement = sandbox.Confinement.from_argument(sys.argv[1])
    sandbox.follow_parent(confinement.parent)
    faulthandler.enable()
    channel = Channel(socket.socket(fileno=confinement.socket), max_payload=0, take_fds=True)
    rehearse()
    report = sandbox.enter(confinement, Paths())
    rehearse()
    channel.send(report)
    gc.disable()  # it would look through millions of rows again and again, and they form no cycles
    keeper = _Keeper(channel)
    while (frame := channel.receive()) is not None:
        channel.send(keeper.answer(frame))


class _Keeper:
    """Has the one archive of this child."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._entries: Entries | None = None

    def answer(self, frame: Frame) -> dict[str, Any]:
        """Do one thing; whatever goes wrong is an answer."""
        try:
            if frame.header.get("read"):
                return self._read(frame)
            return self._open(frame) if frame.header.get("open") else self._extract(frame)
        except ArchiveRefused as refused:
            return {"refused": refused.error}
        except MemoryError:
            return {"failed": "memory"}
        except Exception:  # noqa: BLE001 - a reader given hostile bytes raises anything
            traceback.print_exc()  # for operators; the parent keeps the end of it
            return {"failed": "crashed"}

    def _read(self, frame: Frame) -> dict[str, Any]:
        source, lines, summary = (os.fdopen(fd, mode) for fd, mode in zip(frame.fds, ("rb", "wb", "wb"), strict=True))
        with lines, summary:
            reading = Reading(source, measure=measured)
            self._entries = reading.entries
            for done, image in enumerate(reading.images()):
                lines.write(image_line(image))
                if done % _PROGRESS_EVERY == 0:
                    self._channel.send({"done": done, "total": reading.total})
            summary.write(summary_line(reading.summary()))
        return {"read": True}

    def _open(self, frame: Frame) -> dict[str, Any]:
        (source,) = frame.fds
        self._entries = Entries(os.fdopen(source, "rb"), Problems())
        return {"open": True}

    def _extract(self, frame: Frame) -> dict[str, Any]:
        (target,) = frame.fds
        with os.fdopen(target, "wb") as file:
            if self._entries is None:
                return {"extracted": False}
            try:
                file.write(self._entries.read_number(frame.header["entry"], max_bytes=MAX_IMAGE_BYTES))
            except EntryUnreadable:
                return {"extracted": False}
        return {"extracted": True}


def measured(data: bytes) -> Measured:
    """What an image's headers say, or why it will not be taken."""
    if not data:
        return Measured(trouble=("empty_file", "is empty", "Copy it again; it has no bytes."))
    try:
        return Measured(*measure(data))
    except Refused as refused:
        return Measured(trouble=(str(refused.code), refused.message, refused.hint))


def rehearse() -> None:
    """Read a small archive of our own in each format.

    Before the doors shut, it imports what is imported late. After, it proves that the sandbox leaves the reader all
    it needs on this machine.
    """
    for labels, kinds in _REHEARSED:
        file: IO[bytes] = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for kind in kinds:
                picture = io.BytesIO()
                Image.new("RGB", (40, 20), "orange").save(picture, format=kind)
                archive.writestr(f"images/{kind}.{kind}", picture.getvalue())
            for name, text in labels.items():
                archive.writestr(name, text)
        reading = Reading(file, measure=measured)
        if any(image.trouble or not image_line(image) for image in reading.images()) or not reading.summary().boxes:
            raise RuntimeError("a good archive could not be read")


_COCO = (
    '{"images": [{"id": 1, "file_name": "png.png"}], "categories": [{"id": 1, "name": "dent"}],'
    ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}]}'
)
_VOC = (
    "<annotation><filename>png.png</filename><object><name>dent</name><bndbox><xmin>2</xmin><ymin>3</ymin>"
    "<xmax>4</xmax><ymax>6</ymax></bndbox></object></annotation>"
)
_REHEARSED = (
    ({"annotations.json": _COCO}, ("jpeg", "png", "bmp", "tiff", "webp")),
    ({"Annotations/png.xml": _VOC}, ("png",)),
    ({"data.yaml": "names: [dent]", "labels/png.txt": "0 0.5 0.5 0.2 0.2"}, ("png",)),
)


if __name__ == "__main__":
    main()
