"""One engine child from start to end: the thread that owns it, the runs in it, and who is let go when."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.children.arrays import BadArrays, describe
from workers.children.engine_events import (
    ENDINGS,
    Canceled,
    EngineDied,
    EngineEvent,
    EngineRequest,
    Failed,
    from_frame,
)
from workers.children.engine_run import CANCEL_SECONDS, EngineRun
from workers.children.figures import folder_size
from workers.children.frames import Buffer, Frame
from workers.children.process import ChildError, ChildLimits, ChildNotStarted, ChildProcess, ChildTooLarge

#: A run that was canceled and goes on computing is left alone this long for its neighbours' sake.
_STUBBORN_SECONDS: Final = 20.0
_HOUSEKEEPING_SECONDS: Final = 0.5
#: The memory of a run that has ended is granted to the child this much longer.
_LINGERING_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Limits and device of an engine.

    ``device`` is "cpu" or "cuda:N". ``resident`` bounds the child's memory and ``scratch`` one run's folder,
    both in bytes and polled; with several runs in it the child may have so many times ``resident``.
    ``address_space`` stays unset where CUDA reserves what it does not use. ``max_payload`` bounds the arrays
    of one request or result. ``readable`` are files and folders, the backbone's for one, that operations may
    read; what is missing when the engine starts stays out of its reach.
    """

    device: str = "cpu"
    threads: int = 1
    resident: int = 4 << 30
    scratch: int = 2 << 30
    address_space: int | None = None
    max_payload: int = 4 << 30
    readable: tuple[Path, ...] = ()

    def limits(self) -> ChildLimits:
        """Return the child program's limits."""
        return ChildLimits(
            policy="guarded",
            address_space=self.address_space,
            resident=self.resident,
            file_size=self.scratch,
            open_files=1024,
            max_payload=self.max_payload,
        )


class SessionOver(Exception):
    """The child has ended, or is about to: a run is to be started in another."""


class EngineSession:
    """One engine child from start to end, with the thread that owns it.

    The thread makes the child, because a child dies with its thread; it then reads what the child says.
    """

    def __init__(self, program: Path, settings: EngineSettings, scratch: Path) -> None:
        self._program = program
        self._settings = settings
        self._scratch = scratch
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._runs: dict[int, EngineRun] = {}
        self._released: dict[int, EngineRun] = {}
        self._child: ChildProcess | None = None
        self._failure: ChildError | OSError | None = None
        self._ending = ""
        self._kept_house_at = 0.0
        self._crowd, self._crowded_at = 1, 0.0
        self._is_up = threading.Event()
        self.is_over = False
        threading.Thread(target=self._live, name="engine", daemon=True).start()
        self._is_up.wait()  # the child has its own limits for starting
        if self._child is None:
            raise self._failure or ChildNotStarted("the engine did not start")

    def start(self, operation: str, runs: Sequence[EngineRun]) -> list[EngineRun]:
        """Send a pack to the child."""
        fields, buffers = _described(runs)
        try:
            for run in runs:
                run.lay_out()
            self._take_in(runs)
        except BaseException:
            for run in runs:
                run.clear_away()
            raise
        self._send({"kind": "start", "operation": operation, "runs": fields}, buffers)
        return list(runs)

    def _take_in(self, runs: Sequence[EngineRun]) -> None:
        with self._lock:
            if self.is_over:
                raise SessionOver
            self._runs.update({run.attempt: run for run in runs})
            if len(self._runs) > 1:
                for run in self._runs.values():
                    run.packed = True

    def cancel(self, run: EngineRun) -> None:
        """Tell the child; housekeeping sees to the two seconds."""
        self._send({"kind": "cancel", "attempt": run.attempt})

    def end(self, reason: str) -> None:
        """End the child; its thread tells the runs."""
        self._ending = reason
        self._kill()

    def _send(self, header: dict[str, Any], buffers: Sequence[Buffer] = ()) -> None:
        """Send from any thread; if the child is gone, its own thread tells the runs."""
        with self._sending:
            if self._child is not None:
                with contextlib.suppress(ChildError):
                    self._child.send(header, buffers=buffers)

    def _kill(self) -> str:
        return self._child.kill() if self._child is not None else ""

    def _live(self) -> None:
        reason, evidence = "crashed", ""
        try:
            self._child = child = self._make_child()
            self._is_up.set()
            while True:
                self._dispatch(child.receive(watch=lambda: self._housekeep(child)))
                self._housekeep(child)
        except ChildTooLarge as error:
            reason, evidence = error.what, error.evidence
        except (ChildError, OSError, BadArrays, LookupError, TypeError, ValueError) as error:
            self._failure = error if isinstance(error, (ChildError, OSError)) else None
            evidence = getattr(error, "evidence", repr(error))
        finally:
            self._wind_up(self._ending or reason, evidence)

    def _make_child(self) -> ChildProcess:
        self._scratch.mkdir(parents=True, exist_ok=True)
        own = {
            "scratch": str(self._scratch),
            "device": self._settings.device,
            "threads": self._settings.threads,
            "max_payload": self._settings.max_payload,
            "readable": [str(path) for path in self._settings.readable],
        }
        return ChildProcess(self._program, self._settings.limits(), arguments=[json.dumps(own)])

    def _wind_up(self, reason: str, evidence: str) -> None:
        with self._lock:
            self.is_over = True
            self._ending = reason
            runs, released = list(self._runs.values()), list(self._released.values())
            self._runs.clear()
            self._released.clear()
        evidence = self._kill() or evidence
        for run in runs + released:
            run.clear_away()
        for run in runs:
            run.deliver(EngineDied(reason, packed=run.packed, evidence=evidence))
        self._is_up.set()

    def _dispatch(self, frame: Frame) -> None:
        attempt = frame.header["attempt"]
        is_ending = frame.header["kind"] in ENDINGS
        with self._lock:
            run = self._runs.pop(attempt, None) if is_ending else self._runs.get(attempt)
            released = self._released.pop(attempt, None) if is_ending else None
        for done in (run if is_ending else None, released):
            if done is not None:
                done.clear_away()
        if run is not None:
            run.deliver(from_frame(run.request, frame))

    def _housekeep(self, child: ChildProcess) -> None:
        """Look at memory, at each run's scratch, and at those who were asked to stop."""
        now = time.monotonic()
        child.resident_limit = self._settings.resident * self._shares(now)
        child.look()
        if now - self._kept_house_at < _HOUSEKEEPING_SECONDS:
            return
        self._kept_house_at = now
        let_go = [(run, event) for run in self._running() if (event := self._overdue(run, now)) is not None]
        with self._lock:
            for run, _ in let_go:
                run.canceled_at = run.canceled_at or now
                if self._runs.pop(run.attempt, None) is not None:
                    self._released[run.attempt] = run
            late = any(now - (run.canceled_at or now) > _STUBBORN_SECONDS for run in self._released.values())
            is_doomed = late or (bool(self._released) and not self._runs)
            self.is_over = self.is_over or is_doomed  # before a caller who was let go can start another run in it
        for run, event in let_go:
            run.deliver(event)
        if is_doomed:
            self.end("stubborn")

    def _shares(self, now: float) -> int:
        """How many runs' memory the child may have: that of one which has just ended is not free at once."""
        count = max(1, len(self._runs) + len(self._released))
        if count >= self._crowd or now - self._crowded_at > _LINGERING_SECONDS:
            self._crowd, self._crowded_at = count, now
        return self._crowd

    def _running(self) -> list[EngineRun]:
        with self._lock:
            return list(self._runs.values())

    def _overdue(self, run: EngineRun, now: float) -> EngineEvent | None:
        """Return the event by which to let the run's caller go though the child still computes, if it is time."""
        if run.canceled_at is not None and now - run.canceled_at > CANCEL_SECONDS - 2 * _HOUSEKEEPING_SECONDS:
            return Canceled(run.request.run_id, run.request.token)
        if folder_size(run.scratch) > self._settings.scratch + run.given:
            self.cancel(run)
            return _scratch_full(run.request)
        return None


def _described(runs: Sequence[EngineRun]) -> tuple[list[dict[str, Any]], list[Buffer]]:
    """Return what the child is told of each run, and the buffers that belong to it."""
    fields, buffers = [], list[Buffer]()
    for run in runs:
        descriptions, own = describe(run.request.arrays)
        # As a buffer: the annotations of some thousand images are more than a header may hold.
        buffers += [json.dumps(dict(run.request.parameters)).encode(), *own]
        fields.append(
            {
                "attempt": run.attempt,
                "run_id": run.request.run_id,
                "tenant_id": run.request.tenant_id,
                "scratch": str(run.scratch),
                "arrays": descriptions,
            }
        )
    return fields, buffers


def _scratch_full(request: EngineRequest) -> Failed:
    return Failed(
        request.run_id,
        request.token,
        "scratch_full",
        "The training wrote more temporary files than it may.",
        "Use fewer or smaller images, or tell us the run's number.",
        "",
    )
