"""The reader of archives as the worker sees it: a zip in, checked lines and entries' bytes out.

The child is given open descriptors and no names. What it says is believed only as far as it can be: lines are held to
what they may be, and bytes that leave an archive are hashed again by whoever takes them in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from projects.domain.archives.contents import (
    MAX_ENTRIES,
    MIB,
    ArchiveImage,
    ArchiveRefused,
    OpenArchive,
    ReadingStopped,
    Summary,
)
from projects.domain.archives.lines import MAX_LINE, image_of, summary_of
from workers.children.decode_pixels import READ, WRITE, opened
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

ARCHIVE_PROGRAM: Final = Path(__file__).resolve().with_name("archive_program.py")

#: 64 MiB of JSON take some ten times as much while they are read. A file of lines holds a million boxes.
LIMITS: Final = ChildLimits(
    policy="sealed",
    address_space=1280 * MIB,
    resident=1024 * MIB,
    file_size=512 * MIB,
    open_files=32,
    niceness=10,
)
#: Seconds. Twenty gigabytes unpack in two minutes; the slowest labels, 50,000 XML files, are read in one.
_READING: Final = Patience(computing=600, idle=30, overall=3600)
_EXTRACTING: Final = Patience(computing=20, idle=20, overall=120)
_MAX_SUMMARY: Final = 32 * MIB
_MAX_TEXT: Final = 400
_TRY_SMALLER: Final = "Split the archive into several, or send its files one by one; the other formats may help, too."


class ArchiveChild:
    """Keeps the promise of ``projects.domain.archives.contents``'s ``ArchiveReader``.

    Each open archive has a child of its own. Also raises ``ChildNotStarted`` when the program cannot start, which is
    the machine's fault: the job may be tried again.
    """

    def __init__(self, *, program: Path = ARCHIVE_PROGRAM, limits: ChildLimits = LIMITS) -> None:
        self._program = program
        self._limits = limits

    @contextmanager
    def open(self, path: Path, *, scratch: Path, should_stop: Callable[[], bool]) -> Iterator[OpenArchive]:
        """See the Protocol."""
        sitting = _Sitting(self._program, self._limits, path, scratch, should_stop)
        try:
            yield sitting
        finally:
            sitting.end()


class _Sitting:
    """One open archive and its child, which is replaced when an entry kills it."""

    def __init__(
        self, program: Path, limits: ChildLimits, path: Path, scratch: Path, should_stop: Callable[[], bool]
    ) -> None:
        self._program = program
        self._limits = limits
        self._path = path
        self._lines = scratch / "archive-lines"
        self._summary_path = scratch / "archive-summary"
        self._should_stop = should_stop
        self._child: ChildProcess | None = None
        self._classes = 0

    def end(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def read(self, *, on_progress: Callable[[int, int], None]) -> Summary:
        """See the Protocol. A child that fails on an archive is given it once more, unless it computed too long."""
        for is_last in (False, True):
            try:
                return self._read(on_progress)
            except (ChildDied, ChildTimedOut, ChildTooLarge) as error:
                self._log(error)
                if is_last or (isinstance(error, ChildTimedOut) and error.by_computing):
                    raise _condemned(error) from error
        raise AssertionError("the last attempt returns")

    def images(self) -> Iterator[ArchiveImage]:
        """See the Protocol."""
        with self._lines.open("rb") as file:
            while line := file.readline(MAX_LINE):
                yield image_of(line, classes=self._classes)

    def extract(self, entry: int, target: Path) -> bool:
        """See the Protocol. An entry that kills the child cannot be read; the next has a fresh one."""
        for is_last in (False, True):
            try:
                with ExitStack() as stack:
                    child = self._child or self._reopened()
                    answer = child.ask(
                        {"entry": entry}, fds=[opened(stack, target, WRITE)], patience=_EXTRACTING
                    ).header
                if "failed" in answer:
                    raise ChildDied("the program could not go on")
                return answer.get("extracted") is True
            except (ChildDied, ChildTimedOut, ChildTooLarge) as error:
                self._log(error)
                if is_last:
                    return False
        raise AssertionError("the last attempt returns")

    def _read(self, on_progress: Callable[[int, int], None]) -> Summary:
        self._child = child = ChildProcess(self._program, self._limits)
        with ExitStack() as stack:
            fds = [opened(stack, self._path, READ)]
            fds += [opened(stack, path, WRITE) for path in (self._lines, self._summary_path)]
            answer = self._converse(child, fds, on_progress)
        if "refused" in answer:
            raise _passed_on(answer["refused"])
        if answer.get("failed") == "memory":
            raise ChildTooLarge("the program ran out of memory", what="memory")
        if answer.get("read") is not True:
            raise ChildDied("the program met an error that it does not know")
        try:
            return self._checked()
        except ValueError as error:
            raise ChildDied(f"the program wrote nonsense: {error}") from error

    def _converse(
        self, child: ChildProcess, fds: Sequence[int], on_progress: Callable[[int, int], None]
    ) -> dict[str, Any]:
        """Sends the archive, and hears of progress until the answer comes."""
        watch = _Watch(child, self._should_stop)
        child.send({"read": True}, fds=fds, watch=watch)
        while True:
            header = child.receive(watch=watch).header
            done, total = header.get("done"), header.get("total")
            if type(done) is not int or type(total) is not int:
                return header
            on_progress(min(max(done, 0), 10 * MAX_ENTRIES), min(max(total, 0), MAX_ENTRIES))

    def _checked(self) -> Summary:
        """The summary, when every line can be read. Raises ValueError."""
        if self._summary_path.stat().st_size > _MAX_SUMMARY:
            raise ValueError("a summary that is too long")
        summary = summary_of(self._summary_path.read_bytes())
        self._classes = len(summary.classes)
        if sum(1 for _ in self.images()) != summary.images:
            raise ValueError("more or fewer lines than it says")
        return summary

    def _reopened(self) -> ChildProcess:
        self._child = child = ChildProcess(self._program, self._limits)
        with ExitStack() as stack:
            answer = child.ask({"open": True}, fds=[opened(stack, self._path, READ)], patience=_READING).header
        if answer.get("open") is not True:
            raise ChildDied("the program could not open the archive again")
        return child

    def _log(self, error: ChildError) -> None:
        said = self._child.kill() if self._child is not None else ""
        log.warning("the archive child failed: %s\n%s", error, error.evidence or said)
        self._child = None


class _Watch:
    """A tick that ends a wait: the job must stop, or the child takes too much memory, computing or time."""

    def __init__(self, child: ChildProcess, should_stop: Callable[[], bool]) -> None:
        self._child = child
        self._should_stop = should_stop
        self._since = self._progress_at = time.monotonic()
        self._computed_before = self._computed = child.cpu_seconds()

    def __call__(self) -> None:
        if self._should_stop():
            self._child.kill()
            raise ReadingStopped
        self._child.look()
        now, computed = time.monotonic(), self._child.cpu_seconds()
        if computed > self._computed:
            self._computed, self._progress_at = computed, now
        by_computing = computed - self._computed_before >= _READING.computing
        if by_computing or now - self._progress_at >= _READING.idle or now - self._since >= _READING.overall:
            evidence = self._child.kill()
            raise ChildTimedOut("no answer in time", by_computing=by_computing, evidence=evidence)


def _passed_on(said: object) -> ArchiveRefused:
    """The child's refusal, as far as it is one."""
    texts = [said.get(name) for name in ("code", "message", "hint")] if isinstance(said, dict) else []
    if len(texts) != 3 or not all(isinstance(text, str) and text for text in texts):
        raise ChildDied("the program answered nonsense")
    code, message, hint = ("".join(c for c in text[:_MAX_TEXT] if c.isprintable()) for text in map(str, texts))
    return ArchiveRefused(code, message, hint)


def _condemned(error: ChildError) -> ArchiveRefused:
    if isinstance(error, ChildTimedOut):
        return ArchiveRefused("archive_timeout", "The archive takes too long to read.", _TRY_SMALLER)
    if isinstance(error, ChildTooLarge):
        return ArchiveRefused("archive_memory", "The archive needs more memory than reading one may.", _TRY_SMALLER)
    return ArchiveRefused("archive_crashed", "The archive makes its reader fail.", _TRY_SMALLER)
