"""One run that an engine is computing, as its caller in the worker holds it."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from workers.children import figures
from workers.children.engine_events import (
    Canceled,
    Checkpoint,
    Ending,
    EngineDied,
    EngineEvent,
    EngineRequest,
    Failed,
    Finished,
    Progress,
)

#: How long a caller who cancels may be kept waiting, in seconds.
CANCEL_SECONDS: Final = 2.0
#: The folder, in a run's scratch, in which its files are.
INPUTS: Final = "inputs"
_POLL_SECONDS: Final = 0.2


@dataclass(slots=True)
class EngineRun:
    """A run in the engine. Its events are for one reader; ``cancel`` may come from any thread.

    ``packed`` is set once the run has shared the engine with another. ``given`` is what its files take on disk,
    in bytes: they do not count against what it may write.
    """

    attempt: int
    request: EngineRequest
    scratch: Path
    send_cancel: Callable[[EngineRun], None]
    packed: bool = False
    given: int = 0
    canceled_at: float | None = None
    _inbox: queue.SimpleQueue[EngineEvent | EngineDied] = field(default_factory=queue.SimpleQueue)
    _is_over: bool = False

    def lay_out(self) -> None:
        """Make the run's folder with its files in it; the engine calls it."""
        inputs = self.scratch / INPUTS
        inputs.mkdir(parents=True)
        for name, path in self.request.files.items():
            _link(path, inputs / name)
        self.given = figures.folder_size(inputs)

    def clear_away(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def cancel(self) -> None:
        """Ask that it be stopped: its ending comes within two seconds, ``Canceled`` unless it was done."""
        if self.canceled_at is None:
            self.canceled_at = time.monotonic()
            self.send_cancel(self)

    def events(self, *, should_stop: Callable[[], bool] | None = None) -> Iterator[EngineEvent]:
        """Yield events up to the ending (``Finished``, ``Failed`` or ``Canceled``).

        ``should_stop`` is asked five times a second; when it says yes, the run is canceled. Raises
        ``EngineDied`` if the engine ends first.
        """
        while not self._is_over:
            if should_stop is not None and self.canceled_at is None and should_stop():
                self.cancel()
            try:
                event = self._inbox.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(event, EngineDied):
                self._is_over = True
                raise event
            self._is_over = isinstance(event, (Finished, Failed, Canceled))
            yield event

    def wait(
        self,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_checkpoint: Callable[[Checkpoint], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Ending:
        """Pass events on until the ending, and return that; raises ``EngineDied`` like ``events``.

        If a callback raises, the run is canceled and the exception goes on to the caller.
        """
        try:
            for event in self.events(should_stop=should_stop):
                if isinstance(event, Progress):
                    if on_progress is not None:
                        on_progress(event)
                elif isinstance(event, Checkpoint):
                    if on_checkpoint is not None:
                        on_checkpoint(event)
                else:
                    return event
        except EngineDied:
            raise
        except BaseException:
            self.cancel()
            raise
        raise RuntimeError("the run's ending was taken by another reader")

    def deliver(self, event: EngineEvent | EngineDied) -> None:
        """Put an event before the reader; the engine calls it."""
        self._inbox.put(event)


def _link(source: Path, target: Path) -> None:
    """Put a file at a second place: at no cost on one file system, else by copying."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
            raise
        shutil.copyfile(source, target)
