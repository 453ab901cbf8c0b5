"""Progress on standard error: one line rewritten on a terminal, a line every few seconds anywhere else."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from myriad.annotations.report import ImportProgress
from myriad.cli.session import Session, printable
from myriad.resources.jobs import Job
from myriad.resources.runs import Run
from myriad.upload.report import IngestProgress, UploadProgress

# Seconds between two lines where lines stay.
_EVERY = 5.0
_BAR = 24


class Meter:
    """Shows how far something is. As a context manager it tidies up after itself."""

    def __init__(
        self,
        stream: TextIO | None,
        *,
        live: bool,
        every: float = _EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._live = live
        self._every = every
        self._clock = clock
        self.started = clock()
        self._last_at = clock()
        self._last = ""

    @classmethod
    def of(cls, session: Session) -> Self:
        return cls(None if session.quiet else sys.stderr, live=sys.stderr.isatty())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None and self._live and self._last:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    @property
    def seconds(self) -> float:
        return self._clock() - self.started

    def show(self, line: str) -> None:
        """Show the line now, or leave it out if it is too soon after the last."""
        if self._stream is None or line == self._last:
            return
        if self._live:
            columns = shutil.get_terminal_size().columns
            self._stream.write("\r\x1b[K" + printable(line)[: columns - 1])
        elif self._clock() - self._last_at < self._every:
            return
        else:
            self._stream.write(printable(line) + "\n")
        self._last, self._last_at = line, self._clock()
        self._stream.flush()


def upload_line(progress: UploadProgress, seconds: float) -> str:
    """Write an upload's progress; `seconds` is how long it has gone on."""
    rate = progress.bytes / seconds if seconds > 0 else 0.0
    parts = [
        f"Uploading {_bar(progress.bytes, progress.bytes_total)}",
        f"{progress.files:,}/{progress.files_total:,} files",
        f"{progress.bytes / 1e6:.1f}/{progress.bytes_total / 1e6:.1f} MB",
        f"{rate / 1e6:.1f} MB/s",
    ]
    if rate > 0 and progress.bytes < progress.bytes_total:
        parts.append(f"{_clock_time((progress.bytes_total - progress.bytes) / rate)} left")
    if progress.problems:
        parts.append(f"{progress.problems:,} with problems")
    return "  ".join(parts)


def transfer_line(what: str, done: int, total: int, seconds: float) -> str:
    """Write how far one file's bytes are; `seconds` is how long it has gone on."""
    rate = done / seconds if seconds > 0 else 0.0
    parts = [f"{what} {_bar(done, total)}", f"{done / 1e6:.1f}/{total / 1e6:.1f} MB", f"{rate / 1e6:.1f} MB/s"]
    if rate > 0 and done < total:
        parts.append(f"{_clock_time((total - done) / rate)} left")
    return "  ".join(parts)


def ingest_line(progress: IngestProgress) -> str:
    parts = [
        f"Ingesting {_bar(progress.done, progress.total)}",
        f"{progress.done:,}/{progress.total:,} images",
    ]
    if progress.queue_place:
        parts.append(f"place {progress.queue_place:,} in the queue")
    if progress.eta_seconds is not None:
        parts.append(f"{_clock_time(progress.eta_seconds)} left")
    return "  ".join(parts)


def import_line(progress: ImportProgress) -> str:
    parts = [
        f"Annotating {_bar(progress.done, progress.total)}",
        f"{progress.done:,}/{progress.total:,} images",
    ]
    if progress.rejected:
        parts.append(f"{progress.rejected:,} rejected")
    return "  ".join(parts)


def job_line(job: Job) -> str:
    return _work_line(f"{job.kind} {job.state}", job)


def run_line(run: Run) -> str:
    """Write a training's progress: its place while it waits, then steps, the parts of its loss, and the rest."""
    return _work_line(f"run {run.number} {run.state}", run)


def _work_line(name: str, work: Job | Run) -> str:
    parts, progress = [name], work.progress
    if progress.total:
        parts.append(f"{_bar(progress.done, progress.total)}  {progress.done:,.0f}/{progress.total:,.0f}")
    if progress.message:
        parts.append(progress.message)
    losses = {part: loss for part, loss in progress.losses.items() if isinstance(loss, (int, float))}
    if losses:
        parts.append(" ".join(f"{part} {loss:.3f}" for part, loss in losses.items()))
    if work.queue_place:
        parts.append(f"place {work.queue_place:,} in the queue")
    if work.eta_seconds is not None:
        parts.append(f"{_clock_time(work.eta_seconds)} left")
    return "  ".join(parts)


def _bar(done: float, total: float) -> str:
    full = int(_BAR * min(done, total) // total) if total else _BAR
    return "[" + "#" * full + "-" * (_BAR - full) + "]"


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
