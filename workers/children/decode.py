"""The decoder as the worker sees it: files of one tenant in, cleaned files or reasons out.

What is safe to do here is done here, sizes and hashes in particular, so that a child taken over by one file
cannot pass bytes off as others. The child is given open descriptors, one file at a time; so whatever kills
it, the culprit is the file it held, and the rest goes on in a fresh child. No image library is imported on
this side.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from projects.domain.decoding import (
    MAX_BATCH,
    DecodeCode,
    DecodeFailure,
    DecodeRequest,
    DecodeResult,
)
from workers.children.decode_checks import accepted, failure, passed_on, verify_announced
from workers.children.process import (
    ChildDied,
    ChildError,
    ChildLimits,
    ChildProcess,
    ChildTimedOut,
    ChildTooLarge,
    Patience,
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

#: What one file may take: five seconds of computing, as long again without any, and a minute in all on a machine
#: that is busy with other things.
PATIENCE: Final = Patience(computing=5, idle=5, overall=60)

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
        if self._child is not None:
            self._child.kill()

    def decode(self, request: DecodeRequest) -> DecodeResult:
        """Decode one file; a failure of the child itself is tried once more, alone in a fresh one.

        An outside SIGKILL, a starved machine, or what an earlier file left behind must not condemn this one.
        Only a file that used up its processor time is not tried again: it would only do so twice.
        """
        try:
            return self._attempt(request)
        except (ChildDied, ChildTimedOut, ChildTooLarge) as error:
            self._end_child(request, error)
            if isinstance(error, ChildTimedOut) and error.by_computing:
                return _condemned(request, error)
        try:
            return self._attempt(request)
        except (ChildDied, ChildTimedOut, ChildTooLarge) as error:
            self._end_child(request, error)
            return _condemned(request, error)

    def _attempt(self, request: DecodeRequest) -> DecodeResult:
        """Verify the file, have the child decode it, verify what came out."""
        stored, thumbnail = (request.out_dir / f"{request.key}.{part}" for part in ("part", "thumbnail.part"))
        request.out_dir.mkdir(parents=True, exist_ok=True)
        done = False
        try:
            with ExitStack() as stack:
                source = _opened(stack, request.path, os.O_RDONLY | os.O_NOFOLLOW)
                if (refusal := verify_announced(request, source)) is not None:
                    return refusal
                create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
                fds = [source, _opened(stack, stored, create), _opened(stack, thumbnail, create)]
                if self._child is None:
                    self._child = ChildProcess(self._program, self._limits)
                header = {"declared_type": request.declared_type}
                answer = self._child.ask(header, fds=fds, patience=PATIENCE).header
            if "code" in answer:
                return passed_on(request, answer)
            image = accepted(request, answer, stored, thumbnail)
            done = True
            return image
        finally:
            if not done:
                stored.unlink(missing_ok=True)
                thumbnail.unlink(missing_ok=True)

    def _end_child(self, request: DecodeRequest, error: ChildError) -> None:
        said = self._child.kill() if self._child is not None else ""
        log.warning("the decode child failed on %s: %s\n%s", request.key, error, error.evidence or said)
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


def _condemned(request: DecodeRequest, error: ChildError) -> DecodeFailure:
    """Turn what the file did to the child into its result."""
    hint = "Export it again, as a baseline JPEG or a PNG."
    if isinstance(error, ChildTimedOut):
        return failure(
            request,
            DecodeCode.DECODE_TIMEOUT,
            f"takes longer than {PATIENCE.computing:.0f} seconds to decode",
            hint,
        )
    if isinstance(error, ChildTooLarge):
        return failure(request, DecodeCode.DECODE_MEMORY, "needs more memory to decode than an image may", hint)
    return failure(request, DecodeCode.DECODE_CRASHED, "could not be decoded: it makes the decoder fail", hint)
