"""Who is where: the fate of every file and the bytes sent so far, kept under one lock."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from myriad.upload.files import LocalFile
from myriad.upload.report import FileResult, Outcome, UploadProgress, UploadReport

_FINE = (Outcome.UPLOADED, Outcome.DUPLICATE)


class Ledger:
    """Files are known by their place in `files`."""

    def __init__(self, files: Sequence[LocalFile]) -> None:
        self._files = files
        self._results: dict[int, FileResult] = {}
        self._same_as: dict[int, int] = {}
        self._sent: dict[int, dict[int, int]] = {}  # file → part → bytes; a part sent twice counts once
        self._whole: set[int] = set()  # sent entirely, fate not known yet
        self._jobs: dict[str, None] = {}  # an ordered set
        self._bytes = 0
        self._bytes_total = sum(file.size for file in files)
        self._problems = 0
        self._lock = threading.Lock()

    def settle(
        self,
        place: int,
        outcome: Outcome,
        *,
        image: str | None = None,
        ready: bool = False,
        error: dict[str, Any] | None = None,
    ) -> None:
        """Write down what became of a file; `error` has code, message and hint."""
        file, error = self._files[place], error or {}
        result = FileResult(
            name=file.name,
            size=file.size,
            outcome=outcome,
            image=image,
            ready=ready,
            code=str(error.get("code", "")),
            message=str(error.get("message", "")),
            hint=str(error.get("hint", "")),
        )
        with self._lock:
            self._results[place] = result
            self._whole.discard(place)
            self._bytes += file.size - sum(self._sent.pop(place, {}).values())
            self._problems += outcome not in _FINE

    def same_as(self, place: int, first: int) -> None:
        """Write down that a file has the bytes of an earlier one and shares its fate."""
        with self._lock:
            self._same_as[place] = first
            self._bytes += self._files[place].size

    def sent(self, place: int, part: int, size: int) -> None:
        """Write down that `size` bytes of a file are there, as its part number `part`."""
        with self._lock:
            if place in self._results:
                return
            parts = self._sent.setdefault(place, {})
            self._bytes += size - parts.get(part, 0)
            parts[part] = size
            if sum(parts.values()) >= self._files[place].size:
                self._whole.add(place)

    def add_jobs(self, jobs: Iterable[str]) -> None:
        with self._lock:
            self._jobs.update(dict.fromkeys(jobs))

    def progress(self) -> UploadProgress:
        with self._lock:
            return UploadProgress(
                files=len(self._results) + len(self._same_as) + len(self._whole),
                files_total=len(self._files),
                bytes=self._bytes,
                bytes_total=self._bytes_total,
                problems=self._problems,
            )

    def report(self, *, project: str, skipped: dict[str, str], seconds: float) -> UploadReport:
        """Give the report; a file that nothing is known of was not attempted."""
        with self._lock:
            results = [self._fate(place) for place in range(len(self._files))]
            return UploadReport(
                project=project,
                uploaded=_of(results, Outcome.UPLOADED),
                duplicates=_of(results, Outcome.DUPLICATE),
                rejected=_of(results, Outcome.REJECTED),
                failed=_of(results, Outcome.FAILED),
                skipped=skipped,
                jobs=tuple(self._jobs),
                seconds=seconds,
            )

    def _fate(self, place: int) -> FileResult:
        file = self._files[place]
        first = self._results.get(self._same_as.get(place, place))
        if first is None:
            return FileResult(
                name=file.name,
                size=file.size,
                outcome=Outcome.FAILED,
                code="not_attempted",
                message="The upload stopped before this file was through.",
                hint="Upload the same folder again; what is there already is not sent twice.",
            )
        if place not in self._same_as:
            return first
        outcome = Outcome.DUPLICATE if first.outcome in _FINE else first.outcome
        return replace(first, name=file.name, size=file.size, outcome=outcome)


def _of(results: Iterable[FileResult], outcome: Outcome) -> tuple[FileResult, ...]:
    return tuple(result for result in results if result.outcome is outcome)
