"""The decoder as the worker sees it: files of one tenant in, cleaned files or reasons out.

What is safe to do here is done here, sizes and hashes in particular, so that a child taken over by one file
cannot pass bytes off as others. The child is given open descriptors, one file at a time; so whatever kills
it, the culprit is the file it held, and the rest goes on in a fresh child. No image library is imported on
this side.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from projects.domain.decoding import (
    MAX_BATCH,
    MAX_SIDE,
    DecodeCode,
    DecodedImage,
    DecodeFailure,
    DecodeRequest,
    DecodeResult,
)
from workers.children.process import (
    ChildDied,
    ChildError,
    ChildLimits,
    ChildNotStarted,
    ChildProcess,
    ChildTimedOut,
    ChildTooLarge,
)

log = logging.getLogger(__name__)

DECODE_PROGRAM: Final = Path(__file__).resolve().with_name("decode_program.py")

#: 512 MiB is what one file may cost. As address space, mapped libraries included, it is enforced by the
#: kernel at the moment of allocation, so no burst slips between two looks; the program itself takes 35 MB of
#: it, and the worst legitimate picture (40 megapixels, progressive, without chroma subsampling) about 440 MB.
#: 256 MiB of output is twice a 40-megapixel PNG that does not compress at all.
LIMITS: Final = ChildLimits(
    policy="sealed",
    address_space=512 << 20,
    resident=512 << 20,
    file_size=256 << 20,
    open_files=32,
    niceness=10,
)

FILE_SECONDS: Final = 5.0
#: A second try may wait this long for a processor, on a machine that is busy; it may not compute for longer.
PATIENT_SECONDS: Final = 15.0

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NEAR_HASH: Final = re.compile(r"[0-9a-f]{16}")
_STORED: Final = {"image/jpeg": (".jpg", b"\xff\xd8\xff"), "image/png": (".png", b"\x89PNG\r\n\x1a\n")}
_MAX_TEXT: Final = 300
_LEAST_FREE: Final = 1 << 20


class DecodeChild:
    """Decodes in a child program; keeps the promise of ``projects.domain.decoding.Decoder``.

    Holds no state: each call of ``decode`` starts a child of its own (about a tenth of a second) and ends it,
    so that no child ever sees the files of two tenants, and any thread may call. ``decode`` also raises
    ``ChildNotStarted`` when the program cannot start, which is the machine's fault: the job may be tried
    again.
    """

    def __init__(self, *, program: Path = DECODE_PROGRAM, limits: ChildLimits = LIMITS) -> None:
        self._program = program
        self._limits = limits

    def decode(
        self,
        batch: Sequence[DecodeRequest],
        *,
        on_result: Callable[[DecodeResult], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[DecodeResult]:
        """Decode ``batch`` (files of one tenant) in order; see the Protocol."""
        _check_batch(batch)
        results: list[DecodeResult] = []
        with _Sitting(self._program, self._limits) as sitting:
            for request in batch:
                if should_stop is not None and should_stop():
                    break
                result = sitting.decode(request)
                results.append(result)
                if on_result is not None:
                    on_result(result)
        return results


class _Sitting:
    """One call's child, replaced when a file kills it."""

    def __init__(self, program: Path, limits: ChildLimits) -> None:
        self._program = program
        self._limits = limits
        self._child: ChildProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_child()

    def decode(self, request: DecodeRequest) -> DecodeResult:
        """Decode one file; a failure of the child itself is tried once more, alone in a fresh one.

        An outside SIGKILL, a starved machine, or what an earlier file left behind must not condemn this one.
        Only a file that used up its processor time is not tried again: it would only do so twice.
        """
        try:
            return self._attempt(request, FILE_SECONDS)
        except ChildTimedOut as error:
            self._end_child()
            if error.by_computing:
                return _condemn(request, error)
        except (ChildDied, ChildTooLarge):
            self._end_child()
        try:
            return self._attempt(request, PATIENT_SECONDS)
        except ChildNotStarted:
            raise
        except ChildError as error:
            self._end_child()
            return _condemn(request, error)

    def _attempt(self, request: DecodeRequest, seconds: float) -> DecodeResult:
        """Verify the file, have the child decode it, verify what came out."""
        stored, thumbnail = (request.out_dir / f"{request.key}.{part}" for part in ("part", "thumbnail.part"))
        request.out_dir.mkdir(parents=True, exist_ok=True)
        done = False
        try:
            with ExitStack() as stack:
                source = _opened(stack, request.path, os.O_RDONLY | os.O_NOFOLLOW)
                if (failure := _verify(request, source)) is not None:
                    return failure
                create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
                fds = [source, _opened(stack, stored, create), _opened(stack, thumbnail, create)]
                if self._child is None:
                    self._child = ChildProcess(self._program, self._limits)
                answer = self._child.ask(
                    {"declared_type": request.declared_type},
                    fds=fds,
                    seconds=seconds,
                    cpu_seconds=FILE_SECONDS,
                ).header
            if "code" in answer:
                return _refusal(request, answer)
            image = _accepted(request, answer, stored, thumbnail)
            done = True
            return image
        finally:
            if not done:
                stored.unlink(missing_ok=True)
                thumbnail.unlink(missing_ok=True)

    def _end_child(self) -> None:
        if self._child is not None:
            if evidence := self._child.kill():
                log.warning("the decode child said:\n%s", evidence)
            self._child = None


def _check_batch(batch: Sequence[DecodeRequest]) -> None:
    if len(batch) > MAX_BATCH:
        raise ValueError(f"a batch of {len(batch)} files; {MAX_BATCH} are the most")
    keys = [request.key for request in batch]
    if len(set(keys)) != len(keys):
        raise ValueError("two files of a batch have the same key")
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ValueError(f"an unfit key: {key!r}")


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(f"{path} is no regular file")
    return fd


def _verify(request: DecodeRequest, source: int) -> DecodeFailure | None:
    """Compare size and SHA-256 with what was announced."""
    size = os.fstat(source).st_size
    if size == 0:
        return _failure(request, DecodeCode.EMPTY_FILE, "is empty", "Copy it from the camera again.")
    if size != request.declared_size:
        return _failure(
            request,
            DecodeCode.SIZE_MISMATCH,
            f"is {size:,} bytes long, but {request.declared_size:,} were announced",
            "Upload it again; it may have changed in between.",
        )
    with open(source, "rb", closefd=False) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != request.declared_sha256.lower():
        return _failure(
            request,
            DecodeCode.HASH_MISMATCH,
            "arrived with other bytes than announced: its SHA-256 differs",
            "Upload it again; it may have changed in between.",
        )
    return None


def _refusal(request: DecodeRequest, answer: dict[str, Any]) -> DecodeResult:
    """Pass on the child's refusal, as far as it is one: a child taken over could say anything.

    Raises ``ChildError`` for what is the child's trouble rather than a judgement on the file.
    """
    message, hint = answer.get("message"), answer.get("hint")
    if answer["code"] == DecodeCode.DECODE_MEMORY:
        raise ChildTooLarge("the program ran out of memory", what="memory")  # earlier files may have left some
    if answer["code"] == DecodeCode.DECODE_CRASHED:
        if shutil.disk_usage(request.out_dir).free < _LEAST_FREE:
            raise OSError(errno.ENOSPC, "no space left for decoded images", str(request.out_dir))
        raise ChildDied("the program met an error that it does not know")
    if answer["code"] not in set(DecodeCode) or not isinstance(message, str) or not isinstance(hint, str):
        raise ChildDied("the program answered nonsense")
    return _failure(request, DecodeCode(answer["code"]), message[:_MAX_TEXT], hint[:_MAX_TEXT])


def _accepted(request: DecodeRequest, answer: dict[str, Any], stored: Path, thumbnail: Path) -> DecodedImage:
    """Check an answer and the files it speaks of, and give them their names."""
    sides = [answer.get("width"), answer.get("height")]
    fits = (
        answer.get("stored_type") in _STORED
        and all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides)
        and answer.get("orientation") in range(1, 9)
        and _NEAR_HASH.fullmatch(str(answer.get("near_hash"))) is not None
    )
    if not fits:
        raise ChildDied("the program answered nonsense")
    extension, magic = _STORED[answer["stored_type"]]
    stored_sha256 = _hash_of(stored, magic)
    thumbnail_sha256 = _hash_of(thumbnail, b"RIFF")
    stored = stored.rename(request.out_dir / f"{request.key}{extension}")
    thumbnail = thumbnail.rename(request.out_dir / f"{request.key}.thumbnail.webp")
    return DecodedImage(
        key=request.key,
        sha256=request.declared_sha256.lower(),
        stored_path=stored,
        stored_sha256=stored_sha256,
        stored_type=answer["stored_type"],
        stored_size=stored.stat().st_size,
        width=answer["width"],
        height=answer["height"],
        near_hash=answer["near_hash"],
        thumbnail_path=thumbnail,
        thumbnail_sha256=thumbnail_sha256,
        thumbnail_size=thumbnail.stat().st_size,
        orientation_applied=answer["orientation"],
    )


def _hash_of(path: Path, magic: bytes) -> str:
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise ChildDied("the program wrote something else than it says")
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _condemn(request: DecodeRequest, error: ChildError) -> DecodeFailure:
    """Turn what the file did to the child into its result."""
    log.warning("decoding %s failed: %s\n%s", request.key, error, error.evidence)
    hint = "Export it again, as a baseline JPEG or a PNG."
    if isinstance(error, ChildTimedOut):
        return _failure(
            request,
            DecodeCode.DECODE_TIMEOUT,
            f"takes longer than {FILE_SECONDS:.0f} seconds to decode",
            hint,
        )
    if isinstance(error, ChildTooLarge):
        return _failure(request, DecodeCode.DECODE_MEMORY, "needs more memory to decode than an image may", hint)
    return _failure(request, DecodeCode.DECODE_CRASHED, "could not be decoded: it makes the decoder fail", hint)


def _failure(request: DecodeRequest, code: DecodeCode, predicate: str, hint: str) -> DecodeFailure:
    subject = request.filename or "The file"
    return DecodeFailure(key=request.key, code=code, message=f"{subject} {predicate}", hint=hint)
