"""An archive child that was taken over: what the archive's name for it says is what it does."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[4]))

from workers.children import archive_program
from workers.children.frames import Frame

_answer = archive_program._Keeper.answer


def answer(keeper: archive_program._Keeper, frame: Frame) -> dict[str, object]:
    if frame.header.get("read") and (says := _said(frame)):
        return says
    if frame.header.get("entry") == 1000:
        os.kill(os.getpid(), signal.SIGSEGV)
    return _answer(keeper, frame)


def _said(frame: Frame) -> dict[str, object] | None:
    """Does what the archive's comment asks for; what is answered then, if it is not to be read as well."""
    source, lines, summary = frame.fds
    size = os.lseek(source, 0, os.SEEK_END)
    comment = os.pread(source, 40, max(0, size - 40)).rpartition(b"!")[2].decode(errors="replace")
    os.lseek(source, 0, os.SEEK_SET)
    if comment in DEEDS:
        DEEDS[comment]()
    if comment in WRITTEN:
        line, images = WRITTEN[comment]
        os.write(lines, line)
        os.write(summary, b'{"format":"COCO","classes":[],"problems":{},"boxes":0,"images":%d}' % images)
    return ANSWERS.get(comment)


def _hoard() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20)))


DEEDS: dict[str, Callable[[], object]] = {
    "SEGV": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "MEMORY": _hoard,
    "SLEEP": lambda: time.sleep(60),
}
WRITTEN = {"LINE": (b'{"path": "../../etc/passwd"}\n', 1), "COUNT": (b"", 7)}
ANSWERS: dict[str, dict[str, object]] = {
    "LINE": {"read": True},
    "COUNT": {"read": True},
    "EMPTY": {"read": True},
    "REFUSAL": {"refused": {"code": 7}},
    "NOTHING": {"nothing": True},
}
archive_program._Keeper.answer = answer  # type: ignore[method-assign]  # this is the point

if __name__ == "__main__":
    archive_program.main()
