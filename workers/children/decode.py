"""The decoder as the worker sees it: files of one tenant in, cleaned files or reasons out.

What is safe to do here is done here, sizes and hashes in particular, so that a child taken over by one file
cannot pass bytes off as others. The child is given open descriptors, one file at a time; so whatever kills
it, the culprit is the file it held, and the rest goes on in a fresh child. No image library is imported on
this side.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from projects.domain.decoding import (
    MAX_BATCH,
    DecodedPixels,
    DecodeFailure,
    DecodeRequest,
    DecodeResult,
    PixelRequest,
)
from workers.children.decode_checks import accepted, condemned, failure, passed_on, verify_announced
from workers.children.decode_pixels import READ, WRITE, Ask, opened, write_pixels
from workers.children.process import (
    ChildDied,
    ChildError,
    ChildLimits,
    ChildProcess,
    ChildTimedOut,
    ChildTooLarge,
    Patience,
)
from workers.children.refusals import Refused

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

Result = TypeVar("Result")

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class DecodeChild:
    """Decodes in a child program; keeps the promises of ``projects.domain.decoding``'s ``Decoder`` and
    ``PixelReader``.

    Holds no state: each call starts a child of its own (about a tenth of a second) and ends it, so that no
    child ever sees the files of two tenants, and any thread may call. The calls also raise
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
                result = sitting.work(request, partial(_clean, request, sitting.ask))
                results.append(result)
                if on_result is not None:
                    on_result(result)
        return results

    def read_pixels(
        self,
        batch: Sequence[PixelRequest],
        *,
        out_dir: Path,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[DecodedPixels | DecodeFailure]:
        """Decode ``batch`` (files of one tenant) to ``.npy`` files, in order; see the Protocol."""
        _check_batch(batch)
        results: list[DecodedPixels | DecodeFailure] = []
        with _Sitting(self._program, self._limits) as sitting:
            for request in batch:
                if should_stop is not None and should_stop():
                    break
                results.append(sitting.work(request, partial(write_pixels, request, out_dir, sitting.ask)))
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

    def work(self, request: DecodeRequest | PixelRequest, attempt: Callable[[], Result]) -> Result | DecodeFailure:
        """Decode one file; a failure of the child itself is tried once more, alone in a fresh one.

        An outside SIGKILL, a starved machine, or what an earlier file left behind must not condemn this one.
        Only a file that used up its processor time is not tried again: it would only do so twice.
        """
        for is_last in (False, True):
            try:
                return attempt()
            except Refused as refused:
                return failure(request, refused.code, refused.message, refused.hint)
            except (ChildDied, ChildTimedOut, ChildTooLarge) as error:
                self._end_child(request, error)
                if is_last or (isinstance(error, ChildTimedOut) and error.by_computing):
                    judged = condemned(error, seconds=PATIENCE.computing)
                    return failure(request, judged.code, judged.message, judged.hint)
        raise AssertionError("the last attempt returns")

    def ask(self, header: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
        """Have the child, which is started first where there is none, do one thing with open files."""
        if self._child is None:
            self._child = ChildProcess(self._program, self._limits)
        return self._child.ask(header, fds=fds, patience=PATIENCE).header

    def _end_child(self, request: DecodeRequest | PixelRequest, error: ChildError) -> None:
        said = self._child.kill() if self._child is not None else ""
        log.warning("the decode child failed on %s: %s\n%s", request.key, error, error.evidence or said)
        self._child = None


def _clean(request: DecodeRequest, ask: Ask) -> DecodeResult:
    """Verify the file, have the child decode it, verify what came out."""
    stored, thumbnail = (request.out_dir / f"{request.key}.{part}" for part in ("part", "thumbnail.part"))
    request.out_dir.mkdir(parents=True, exist_ok=True)
    done = False
    try:
        with ExitStack() as stack:
            source = opened(stack, request.path, READ)
            if (refusal := verify_announced(request, source)) is not None:
                return refusal
            fds = [source, opened(stack, stored, WRITE), opened(stack, thumbnail, WRITE)]
            answer = ask({"declared_type": request.declared_type}, fds)
        if "code" in answer:
            raise passed_on(answer, request.out_dir)
        image = accepted(request, answer, stored, thumbnail)
        done = True
        return image
    finally:
        if not done:
            stored.unlink(missing_ok=True)
            thumbnail.unlink(missing_ok=True)


def _check_batch(batch: Sequence[DecodeRequest] | Sequence[PixelRequest]) -> None:
    if len(batch) > MAX_BATCH:
        raise ValueError(f"a batch of {len(batch)} files; {MAX_BATCH} are the most")
    keys = [request.key for request in batch]
    if len(set(keys)) != len(keys):
        raise ValueError("two files of a batch have the same key")
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ValueError(f"an unfit key: {key!r}")
