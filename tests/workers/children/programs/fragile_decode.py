"""The decode program, made fragile: a marker at the end of a file says what is to go wrong while it is decoded."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

sys.path.append(str(Path(__file__).resolve().parents[4]))

from workers.children import decode_program
from workers.children.image_decoding import Decoded, decode, read_pixels

_files_seen = 0


def compute() -> None:
    """Never end."""
    while True:
        pass


def crash() -> None:
    """Die as a decoder with a bug dies."""
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_later() -> None:
    """Die of what earlier files have left behind."""
    if _files_seen > _REHEARSED + 1:
        crash()


def fail() -> None:
    """Meet an error that nobody thought of."""
    raise RuntimeError("an error inside the program")


HABITS = {
    b"!!SEGFAULT": crash,
    b"!SECONDSEG": crash_later,
    b"!!!COMPUTE": compute,
    b"!!!!!SLEEP": lambda: time.sleep(60),
    b"!!!!!HOARD": lambda: bytearray(600 << 20),
    b"!!!!!RAISE": fail,
}


def fragile(source: IO[bytes], *, stored: IO[bytes], **options: Any) -> Any:
    """Decode, unless the file ends in a marker."""
    global _files_seen  # noqa: PLW0603 - what a child remembers of earlier files is the point
    _files_seen += 1
    source.seek(0)
    marker = source.read()[-10:]
    if marker in HABITS:
        HABITS[marker]()
    if marker == b"!!!!!!!LIE":
        return Decoded("text/html", 64, 48, "0" * 16, 1)
    if marker == b"!OTHERFILE":
        stored.write(b"<html>")
        return Decoded("image/png", 64, 48, "0" * 16, 1)
    return decode(source, stored=stored, **options)


def fragile_pixels(source: IO[bytes], *, target: IO[bytes], **options: Any) -> tuple[int, int]:
    """Read the pixels, unless the file ends in a marker."""
    source.seek(0)
    marker = source.read()[-10:]
    if marker in HABITS:
        HABITS[marker]()
    width, height = read_pixels(source, target=target, **options)
    if marker == b"!!!!!!!LIE":
        return width * 10, height * 10
    if marker == b"!OTHERFILE":
        target.truncate(100)
    return width, height


_REHEARSED = 10  # five pictures before the doors shut, five after

if __name__ == "__main__":
    setattr(decode_program, "decode", fragile)  # noqa: B010 - a name that it imports, not its own
    setattr(decode_program, "read_pixels", fragile_pixels)  # noqa: B010 - likewise
    decode_program.main()
