"""The decode child's program: takes open files one at a time, answers what became of each.

It knows no paths and no names. Per request it is sent three descriptors: the file to read, the one to write
the cleaned image to, the one for the thumbnail; or two, where pixels are wanted: the file to read and the one
to write them to. It is started by path, isolated (``-I``), so it finds its own code here.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import IO, Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

from PIL import Image, ImageFile

from projects.domain.decoding import ACCEPTED_TYPES, DecodeCode
from workers.children import sandbox
from workers.children.frames import Channel, Frame
from workers.children.image_decoding import decode, read_pixels
from workers.children.landlock import Paths
from workers.children.refusals import Refused


def main() -> None:
    """Confine this process, say so, then answer requests until the parent closes the socket."""
    confinement = sandbox.Confinement.from_argument(sys.argv[1])
    sandbox.follow_parent(confinement.parent)
    faulthandler.enable()
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    channel = Channel(socket.socket(fileno=confinement.socket), max_payload=0, take_fds=True)
    rehearsal = _Rehearsal()
    rehearsal.run()
    report = sandbox.enter(confinement, Paths())
    rehearsal.run()
    channel.send(report)
    while (frame := channel.receive()) is not None:
        channel.send(answer(frame))


def answer(frame: Frame) -> dict[str, Any]:
    """Decode the file of one request and return the answer's header."""
    try:
        return _pixels(frame) if frame.header.get("pixels") else _images(frame)
    except Refused as refused:
        return {"code": refused.code, "message": refused.message, "hint": refused.hint}
    except MemoryError:
        return {"code": DecodeCode.DECODE_MEMORY}
    except Exception:  # noqa: BLE001 - a decoder given hostile bytes raises anything
        traceback.print_exc()  # for operators; the parent keeps the end of it
        return {"code": DecodeCode.DECODE_CRASHED}


def _images(frame: Frame) -> dict[str, Any]:
    source, stored, thumbnail = frame.fds
    with os.fdopen(source, "rb") as a, os.fdopen(stored, "wb") as b, os.fdopen(thumbnail, "wb") as c:
        done = decode(a, declared_type=frame.header["declared_type"], stored=b, thumbnail=c)
    return {
        "stored_type": done.stored_type,
        "width": done.width,
        "height": done.height,
        "near_hash": done.near_hash,
        "orientation": done.orientation,
    }


def _pixels(frame: Frame) -> dict[str, Any]:
    source, target = frame.fds
    with os.fdopen(source, "rb") as a, os.fdopen(target, "wb") as b:
        width, height = read_pixels(a, declared_type=frame.header["declared_type"], target=b)
    return {"width": width, "height": height}


class _Rehearsal:
    """Decodes one picture of our own of each kind.

    Before the doors shut, it imports what is imported late. After, it proves that the sandbox leaves the
    decoder all it needs on this machine: better no child than one that refuses every customer's file.
    """

    def __init__(self) -> None:
        self._files = {content_type: _scratch_file() for content_type in ACCEPTED_TYPES}
        self._outputs = _scratch_file(), _scratch_file()
        for content_type, file in self._files.items():
            picture = Image.new("RGB" if content_type == "image/jpeg" else "RGBA", (400, 20), "orange")
            picture.save(file, format=content_type.removeprefix("image/"))
            file.flush()

    def run(self) -> None:
        """Decode them all; anything that fails is raised."""
        stored, thumbnail = self._outputs
        for content_type, file in self._files.items():
            decode(file, declared_type=content_type, stored=stored, thumbnail=thumbnail)
            read_pixels(file, declared_type=None, target=stored)


def _scratch_file() -> IO[bytes]:
    return tempfile.TemporaryFile()


if __name__ == "__main__":
    main()
