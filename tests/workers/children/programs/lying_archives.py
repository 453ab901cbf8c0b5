"""An archive child that was taken over: what the archive's name for it says is what it does."""

import os
import signal
import sys
import time
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
    """What a file of the archive's comment asks for."""
    source, lines, summary = frame.fds
    size = os.lseek(source, 0, os.SEEK_END)
    tail = os.pread(source, 40, max(0, size - 40))
    os.lseek(source, 0, os.SEEK_SET)
    if b"!SEGV" in tail:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"!MEMORY" in tail:
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1 << 20)))
    if b"!SLEEP" in tail:
        time.sleep(60)
    if b"!LINE" in tail:
        os.write(lines, b'{"path": "../../etc/passwd"}\n')
        os.write(summary, b'{"format":"COCO","classes":[],"problems":{},"images":1,"boxes":0}')
        return {"read": True}
    if b"!COUNT" in tail:
        os.write(summary, b'{"format":"COCO","classes":[],"problems":{},"images":7,"boxes":0}')
        return {"read": True}
    if b"!EMPTY" in tail:
        return {"read": True}
    if b"!REFUSAL" in tail:
        return {"refused": {"code": 7}}
    if b"!NOTHING" in tail:
        return {"nothing": True}
    return None


archive_program._Keeper.answer = answer  # type: ignore[method-assign]  # this is the point

if __name__ == "__main__":
    archive_program.main()
