"""The decode program, made fragile: a marker at the end of a file says what is to go wrong while it is decoded."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

sys.path.append(str(Path(__file__).resolve().parents[4]))

from workers.children import decode_program
from workers.children.image_decoding import Decoded

_sound_decode = decode_program.decode
_files_seen = 0


def fragile(source: IO[bytes], *, stored: IO[bytes], **options: Any) -> Any:
    """Decode, unless the file ends in a marker."""
    global _files_seen  # noqa: PLW0603 - what a child remembers of earlier files is the point
    _files_seen += 1
    source.seek(0)
    marker = source.read()[-10:]
    if marker == b"!!SEGFAULT":
        os.kill(os.getpid(), signal.SIGSEGV)
    if marker == b"!SECONDSEG" and _files_seen > _REHEARSED + 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if marker == b"!!!COMPUTE":
        while True:
            pass
    if marker == b"!!!!!SLEEP":
        time.sleep(60)
    if marker == b"!!!!!HOARD":
        bytearray(600 << 20)
    if marker == b"!!!!!!!LIE":
        return Decoded("text/html", 64, 48, "0" * 16, 1)
    if marker == b"!OTHERFILE":
        stored.write(b"<html>")
        return Decoded("image/png", 64, 48, "0" * 16, 1)
    if marker == b"!!!!!RAISE":
        raise RuntimeError("an error inside the program")
    return _sound_decode(source, stored=stored, **options)


_REHEARSED = 10  # five pictures before the doors shut, five after

if __name__ == "__main__":
    decode_program.decode = fragile
    decode_program.main()
