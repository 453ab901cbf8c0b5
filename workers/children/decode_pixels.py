"""Pixels out of the decode child: into a file as NumPy stores arrays, with nothing but their values taken on trust.

The child writes pixels to an open file and tells their size. That the size is the announced one, that there
are as many bytes, and what the file says of itself (its header) is this side's doing, which needs neither
NumPy nor an image library for it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeAlias

from projects.domain.decoding import DecodeCode, DecodedPixels, PixelRequest
from workers.children.decode_checks import measured, passed_on
from workers.children.process import ChildDied
from workers.children.refusals import Refused

#: Asks the child: a header and open files; returns the answer's header.
Ask: TypeAlias = Callable[[dict[str, Any], Sequence[int]], dict[str, Any]]

READ: Final = os.O_RDONLY | os.O_NOFOLLOW
WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW

_CHANNELS: Final = 3
_NPY_MAGIC: Final = b"\x93NUMPY\x01\x00"
_NPY_ALIGNMENT: Final = 64


def write_pixels(request: PixelRequest, out_dir: Path, ask: Ask) -> DecodedPixels:
    """Have the child decode one file to ``out_dir/KEY.npy``.

    Raises ``Refused`` for a bad file and ``ChildError`` for trouble with the child; nothing is left then.
    """
    part, target = out_dir / f"{request.key}.npy.part", out_dir / f"{request.key}.npy"
    out_dir.mkdir(parents=True, exist_ok=True)
    header = npy_header(request.width, request.height)
    try:
        with ExitStack() as stack:
            source = _source(stack, request.path)
            written = opened(stack, part, WRITE)
            os.lseek(written, len(header), os.SEEK_SET)  # the child goes on from there
            width, height = ask_for_pixels(ask, source, written, request.declared_type, out_dir=out_dir)
            if (width, height) != (request.width, request.height):
                raise Refused(
                    DecodeCode.SIZE_MISMATCH,
                    f"is {width} by {height} pixels, but {request.width} by {request.height} are on record",
                    "Upload it again.",
                )
            if os.fstat(written).st_size != len(header) + width * height * _CHANNELS:
                raise ChildDied("the program wrote something else than it says")
            os.pwrite(written, header, 0)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return DecodedPixels(key=request.key, path=target, width=width, height=height)


def ask_for_pixels(
    ask: Ask, source: int, target: int, declared_type: str | None, *, out_dir: Path | None = None
) -> tuple[int, int]:
    """Have the child write the pixels of one open file to another; return width and height. Raises ``Refused``."""
    answer = ask({"declared_type": declared_type, "pixels": True}, [source, target])
    if "code" in answer:
        raise passed_on(answer, out_dir)
    return measured(answer)


def npy_header(width: int, height: int) -> bytes:
    """Return what precedes the pixels in an ``.npy`` file (format 1.0) of uint8 (height, width, 3)."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({height}, {width}, {_CHANNELS}), }}".encode()
    taken = len(_NPY_MAGIC) + 2 + len(text) + 1
    text += b" " * (-taken % _NPY_ALIGNMENT) + b"\n"
    return _NPY_MAGIC + len(text).to_bytes(2, "little") + text


def opened(stack: ExitStack, path: Path, flags: int) -> int:
    """Open a regular file of ours until ``stack`` ends; raises ``OSError``, for a link too."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(f"{path} is no regular file")
    return fd


def in_memory(stack: ExitStack, data: bytes = b"") -> int:
    """Open a file that is nowhere but in memory, with ``data`` in it, until ``stack`` ends."""
    fd = os.memfd_create("picture", os.MFD_CLOEXEC)
    stack.callback(os.close, fd)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return fd


def _source(stack: ExitStack, path: Path | bytes) -> int:
    fd = in_memory(stack, path) if isinstance(path, bytes) else opened(stack, path, READ)
    if os.fstat(fd).st_size == 0:
        raise Refused(DecodeCode.EMPTY_FILE, "is empty", "Upload it again.")
    return fd
