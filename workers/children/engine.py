"""The resident engine child as the worker sees it: one a device, with runs of several tenants, kept apart.

A caller starts runs, reads their events, and may cancel. What it learns is tagged with the run; what a
superseded or released attempt says later is dropped. If the engine ends, every run in it hears
``EngineDied``, and the next ``start`` brings up a fresh one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.children.arrays import Array, BadArrays, describe, restore
from workers.children.engine_events import (
    Canceled,
    Checkpoint,
    EngineDied,
    EngineEvent,
    EngineRequest,
    Failed,
    Finished,
    Progress,
)
from workers.children.engine_run import CANCEL_SECONDS, EngineRun
from workers.children.frames import Frame
from workers.children.process import ChildError, ChildLimits, ChildProcess, ChildTooLarge, folder_size

ENGINE_PROGRAM: Final = Path(__file__).resolve().with_name("engine_program.py")

#: A run that was canceled and goes on computing is left alone this long for its neighbours' sake.
_STUBBORN_SECONDS: Final = 20.0
_HOUSEKEEPING_SECONDS: Final = 0.5
_START_SECONDS: Final = 30.0
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Limits and device of an engine.

    ``device`` is "cpu" or "cuda:N". ``resident`` bounds the child's memory and ``scratch`` one run's folder,
    both in bytes and polled; ``address_space`` stays unset where CUDA reserves what it does not use.
    ``max_payload`` bounds the arrays of one request or result.
    """

    device: str = "cpu"
    threads: int = 1
    resident: int = 4 << 30
    scratch: int = 2 << 30
    address_space: int | None = None
    max_payload: int = 4 << 30

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


class Engine:
    """A resident engine child, started on first use. Any thread may call.

    ``scratch`` is a folder of the engine's own; each run gets ``scratch/<tenant>/<run>-<attempt>``, gone with
    the run.
    """

    def __init__(
        self, scratch: Path, settings: EngineSettings = EngineSettings(), *, program: Path = ENGINE_PROGRAM
    ) -> None:
        self._scratch = scratch
        self._settings = settings
        self._program = program
        self._attempts = itertools.count(1)
        self._lock = threading.Lock()
        self._session: _Session | None = None

    def start(self, operation: str, requests: Sequence[EngineRequest]) -> list[EngineRun]:
        """Start ``requests`` as one pack of ``operation``, beside what is running; return the runs in order.

        Raises ``ValueError`` for unfit ids, ``ChildNotStarted`` if the engine cannot start, ``EngineDied`` if
        it ends meanwhile. An unknown operation and an error inside it are ``Failed`` events.
        """
        for request in requests:
            if not (_ID.fullmatch(request.run_id) and _ID.fullmatch(request.tenant_id)):
                raise ValueError(f"unfit ids: {request.run_id!r}, {request.tenant_id!r}")
        session = self._ready_session()
        return session.start(operation, [self._run(request, session) for request in requests])

    def ping(self, arrays: Mapping[str, Array] | None = None, *, seconds: float = 10.0) -> Finished:
        """Send ``arrays`` through the engine and back: ``value`` tells its device and the total it computed.

        Raises ``EngineDied`` if no answer comes within ``seconds`` (the engine is ended then) or it is wrong.
        """
        (run,) = self.start("ping", [EngineRequest("ping", "", "health", {}, arrays or {})])
        until = time.monotonic() + seconds
        ending = run.wait(should_stop=lambda: time.monotonic() > until)
        if not isinstance(ending, Finished):
            self._end("crashed")
            raise EngineDied("crashed", packed=False, evidence=str(ending))
        return ending

    def close(self) -> None:
        """End the engine; runs still in it hear ``EngineDied``."""
        self._end("closed")

    def _end(self, reason: str) -> None:
        with self._lock:
            if self._session is not None:
                self._session.end(reason)
                self._session = None

    def _ready_session(self) -> _Session:
        with self._lock:
            if self._session is None or self._session.is_over:
                self._session = _Session(self._program, self._settings, self._scratch)
            return self._session

    def _run(self, request: EngineRequest, session: _Session) -> EngineRun:
        attempt = next(self._attempts)
        scratch = self._scratch / request.tenant_id / f"{request.run_id}-{attempt}"
        return EngineRun(attempt, request, scratch, session.cancel)


class _Session:
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
        self._is_up = threading.Event()
        self.is_over = False
        threading.Thread(target=self._live, name="engine", daemon=True).start()
        self._is_up.wait(_START_SECONDS)
        if self._child is None:
            raise self._failure or TimeoutError("the engine did not start in time")

    def start(self, operation: str, runs: Sequence[EngineRun]) -> list[EngineRun]:
        """Send a pack to the child."""
        fields, buffers = [], []
        for run in runs:
            run.scratch.mkdir(parents=True)
            descriptions, own = describe(run.request.arrays)
            buffers += own
            fields.append(
                {
                    "attempt": run.attempt,
                    "run_id": run.request.run_id,
                    "tenant_id": run.request.tenant_id,
                    "parameters": dict(run.request.parameters),
                    "scratch": str(run.scratch),
                    "arrays": descriptions,
                }
            )
        with self._lock:
            if self.is_over:
                raise EngineDied(self._ending, packed=False)
            self._runs.update({run.attempt: run for run in runs})
            if len(self._runs) > 1:
                for run in self._runs.values():
                    run.packed = True
        self._send({"kind": "start", "operation": operation, "runs": fields}, buffers)
        return list(runs)

    def cancel(self, run: EngineRun) -> None:
        """Tell the child; housekeeping sees to the two seconds."""
        self._send({"kind": "cancel", "attempt": run.attempt})

    def end(self, reason: str) -> None:
        """End the child; its thread tells the runs."""
        self._ending = reason
        self._kill()

    def _send(self, header: dict[str, Any], buffers: Sequence[memoryview] = ()) -> None:
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
        except (ChildError, OSError, BadArrays, KeyError, TypeError) as error:
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
            shutil.rmtree(run.scratch, ignore_errors=True)
        for run in runs:
            run.deliver(EngineDied(reason, packed=run.packed, evidence=evidence))
        self._is_up.set()

    def _dispatch(self, frame: Frame) -> None:
        attempt = frame.header["attempt"]
        is_ending = frame.header["kind"] in _ENDINGS
        with self._lock:
            run = self._runs.pop(attempt, None) if is_ending else self._runs.get(attempt)
            released = self._released.pop(attempt, None) if is_ending else None
        for done in (run if is_ending else None, released):
            if done is not None:
                shutil.rmtree(done.scratch, ignore_errors=True)
        if run is not None:
            run.deliver(_MAKERS[frame.header["kind"]](run.request, frame))

    def _housekeep(self, child: ChildProcess) -> None:
        """Look at memory, at each run's scratch, and at those who were asked to stop."""
        child.look()
        now = time.monotonic()
        if now - self._kept_house_at < _HOUSEKEEPING_SECONDS:
            return
        self._kept_house_at = now
        with self._lock:
            running, released = list(self._runs.values()), list(self._released.values())
        for run in running:
            if run.canceled_at is not None and now - run.canceled_at > CANCEL_SECONDS - 2 * _HOUSEKEEPING_SECONDS:
                self._release(run, Canceled(run.request.run_id, run.request.token))
            elif folder_size(run.scratch) > self._settings.scratch:
                self.cancel(run)
                self._release(run, _scratch_full(run.request))
        late = [run for run in released if now - (run.canceled_at or now) > _STUBBORN_SECONDS]
        if late or (released and not running):
            self.end("stubborn")

    def _release(self, run: EngineRun, event: EngineEvent) -> None:
        """Let the caller go, though the child still computes."""
        with self._lock:
            if self._runs.pop(run.attempt, None) is None:
                return
            run.canceled_at = run.canceled_at or time.monotonic()
            self._released[run.attempt] = run
        run.deliver(event)


def _progress(request: EngineRequest, frame: Frame) -> Progress:
    header = frame.header
    losses = {str(name): float(value) for name, value in header["losses"].items()}
    return Progress(
        request.run_id,
        request.token,
        float(header["done"]),
        float(header["total"]),
        str(header["message"]),
        losses,
    )


def _checkpoint(request: EngineRequest, frame: Frame) -> Checkpoint:
    return Checkpoint(request.run_id, request.token, int(frame.header["step"]), bytes(frame.buffers[0]))


def _finished(request: EngineRequest, frame: Frame) -> Finished:
    return Finished(
        request.run_id, request.token, frame.header["value"], restore(frame.header["arrays"], frame.buffers)
    )


def _failed(request: EngineRequest, frame: Frame) -> Failed:
    texts = [str(frame.header[name]) for name in ("code", "message", "hint", "detail")]
    return Failed(request.run_id, request.token, *texts)


def _canceled(request: EngineRequest, _: Frame) -> Canceled:
    return Canceled(request.run_id, request.token)


def _scratch_full(request: EngineRequest) -> Failed:
    return Failed(
        request.run_id,
        request.token,
        "scratch_full",
        "The training wrote more temporary files than it may.",
        "Use fewer or smaller images, or tell us the run's number.",
        "",
    )


_ENDINGS: Final = frozenset({"finished", "failed", "canceled"})
_MAKERS: Final[Mapping[str, Callable[[EngineRequest, Frame], EngineEvent]]] = {
    "progress": _progress,
    "checkpoint": _checkpoint,
    "finished": _finished,
    "failed": _failed,
    "canceled": _canceled,
}
