"""What the decoder's parent makes sure of itself: what came is what was announced, what left is what was said."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any, Final

from projects.domain.decoding import (
    MAX_PIXELS,
    MAX_SIDE,
    DecodeCode,
    DecodedImage,
    DecodeFailure,
    DecodeRequest,
    PixelRequest,
)
from workers.children.process import ChildDied, ChildError, ChildTimedOut, ChildTooLarge
from workers.children.refusals import Refused

_NEAR_HASH: Final = re.compile(r"[0-9a-f]{16}")
_STORED: Final = {"image/jpeg": (".jpg", b"\xff\xd8\xff"), "image/png": (".png", b"\x89PNG\r\n\x1a\n")}
_MAX_TEXT: Final = 300
_LEAST_FREE: Final = 1 << 20


def verify_announced(request: DecodeRequest, source: int) -> DecodeFailure | None:
    """Compare size and SHA-256 with what was announced."""
    size = os.fstat(source).st_size
    if size == 0:
        return failure(request, DecodeCode.EMPTY_FILE, "is empty", "Copy it from the camera again.")
    if size != request.declared_size:
        return failure(
            request,
            DecodeCode.SIZE_MISMATCH,
            f"is {size:,} bytes long, but {request.declared_size:,} were announced",
            "Upload it again; it may have changed in between.",
        )
    with open(source, "rb", closefd=False) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != request.declared_sha256.lower():
        return failure(
            request,
            DecodeCode.HASH_MISMATCH,
            "arrived with other bytes than announced: its SHA-256 differs",
            "Upload it again; it may have changed in between.",
        )
    return None


def passed_on(answer: dict[str, Any], out_dir: Path | None = None) -> Refused:
    """Pass on the child's refusal, as far as it is one: a child taken over could say anything.

    Raises ``ChildError`` for what is the child's trouble rather than a judgement on the file, and ``OSError``
    where ``out_dir`` has no space left.
    """
    code, message, hint = (_text(answer.get(name)) for name in ("code", "message", "hint"))
    if code == DecodeCode.DECODE_MEMORY:
        raise ChildTooLarge("the program ran out of memory", what="memory")  # earlier files may have left some
    if code == DecodeCode.DECODE_CRASHED:
        if out_dir is not None and shutil.disk_usage(out_dir).free < _LEAST_FREE:
            raise OSError(errno.ENOSPC, "no space left for decoded images", str(out_dir))
        raise ChildDied("the program met an error that it does not know")
    if code not in set(DecodeCode) or not message or not hint:
        raise ChildDied("the program answered nonsense")
    return Refused(DecodeCode(code), message, hint)


def accepted(request: DecodeRequest, answer: dict[str, Any], stored: Path, thumbnail: Path) -> DecodedImage:
    """Check an answer and the files it speaks of, and give them their names."""
    stored_type, near_hash = _text(answer.get("stored_type")), _text(answer.get("near_hash"))
    numbers = [answer.get("width"), answer.get("height"), answer.get("orientation")]
    limits = [MAX_SIDE, MAX_SIDE, 8]
    fits = (
        stored_type in _STORED
        and all(type(number) is int and 1 <= number <= most for number, most in zip(numbers, limits, strict=True))
        and _NEAR_HASH.fullmatch(near_hash) is not None
    )
    if not fits:
        raise ChildDied("the program answered nonsense")
    extension, magic = _STORED[stored_type]
    stored_sha256 = _hash_of(stored, magic)
    thumbnail_sha256 = _hash_of(thumbnail, b"RIFF")
    stored = stored.rename(request.out_dir / f"{request.key}{extension}")
    thumbnail = thumbnail.rename(request.out_dir / f"{request.key}.thumbnail.webp")
    return DecodedImage(
        key=request.key,
        sha256=request.declared_sha256.lower(),
        stored_path=stored,
        stored_sha256=stored_sha256,
        stored_type=stored_type,
        stored_size=stored.stat().st_size,
        width=answer["width"],
        height=answer["height"],
        near_hash=near_hash,
        thumbnail_path=thumbnail,
        thumbnail_sha256=thumbnail_sha256,
        thumbnail_size=thumbnail.stat().st_size,
        orientation_applied=answer["orientation"],
    )


def measured(answer: dict[str, Any]) -> tuple[int, int]:
    """Return the width and height that the child tells of the pixels it wrote."""
    width, height = answer.get("width"), answer.get("height")
    if type(width) is not int or type(height) is not int:
        raise ChildDied("the program answered nonsense")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise ChildDied("the program answered nonsense")
    return width, height


def _text(value: object) -> str:
    """Return what can be shown of it, terminals included; "" if it is no text."""
    return "".join(letter for letter in value[:_MAX_TEXT] if letter.isprintable()) if isinstance(value, str) else ""


def _hash_of(path: Path, magic: bytes) -> str:
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise ChildDied("the program wrote something else than it says")
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def condemned(error: ChildError, *, seconds: float) -> Refused:
    """Turn what a file did to the child into a judgement on it."""
    hint = "Export it again, as a baseline JPEG or a PNG."
    if isinstance(error, ChildTimedOut):
        return Refused(DecodeCode.DECODE_TIMEOUT, f"takes longer than {seconds:.0f} seconds to decode", hint)
    if isinstance(error, ChildTooLarge):
        return Refused(DecodeCode.DECODE_MEMORY, "needs more memory to decode than an image may", hint)
    return Refused(DecodeCode.DECODE_CRASHED, "could not be decoded: it makes the decoder fail", hint)


def failure(request: DecodeRequest | PixelRequest, code: DecodeCode, predicate: str, hint: str) -> DecodeFailure:
    """Say that a file is refused; ``predicate`` follows its name."""
    subject = request.filename or "The file"
    return DecodeFailure(key=request.key, code=code, message=f"{subject} {predicate}", hint=hint)
