"""The resident engine child as the worker sees it: one a device, with runs of several tenants, kept apart.

A caller starts runs, reads their events, and may cancel. What it learns is tagged with the run; what a
superseded or released attempt says later is dropped. If the engine ends, every run in it hears
``EngineDied``, and the next ``start`` brings up a fresh one.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from workers.children.arrays import Array
from workers.children.engine_events import EngineDied, EngineRequest, Finished, fits_as_name
from workers.children.engine_run import EngineRun
from workers.children.engine_session import EngineSession, EngineSettings, SessionOver

ENGINE_PROGRAM: Final = Path(__file__).resolve().with_name("engine_program.py")

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Engine:
    """A resident engine child, started on first use. Any thread may call.

    ``scratch`` is a folder of the engine's own; each run gets ``scratch/<tenant>/<run>-<attempt>``, gone with
    the run.
    """

    def __init__(
        self, scratch: Path, settings: EngineSettings | None = None, *, program: Path = ENGINE_PROGRAM
    ) -> None:
        self._scratch = scratch
        self._settings = settings or EngineSettings()
        self._program = program
        self._attempts = itertools.count(1)
        self._lock = threading.Lock()
        self._session: EngineSession | None = None

    def start(self, operation: str, requests: Sequence[EngineRequest]) -> list[EngineRun]:
        """Start ``requests`` as one pack of ``operation``, beside what is running; return the runs in order.

        Raises ``ValueError`` for unfit ids and names of files, ``ChildNotStarted`` if the engine cannot start,
        ``EngineDied`` if it ends meanwhile. An unknown operation and an error inside it are ``Failed`` events.
        """
        for request in requests:
            if not (_ID.fullmatch(request.run_id) and _ID.fullmatch(request.tenant_id)):
                raise ValueError(f"unfit ids: {request.run_id!r}, {request.tenant_id!r}")
            if unfit := [name for name in request.files if not fits_as_name(name)]:
                raise ValueError(f"unfit names of files: {unfit}")
        while True:
            session = self._ready_session()
            with contextlib.suppress(SessionOver):
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

    def _ready_session(self) -> EngineSession:
        with self._lock:
            if self._session is None or self._session.is_over:
                self._session = EngineSession(self._program, self._settings, self._scratch)
            return self._session

    def _run(self, request: EngineRequest, session: EngineSession) -> EngineRun:
        attempt = next(self._attempts)
        scratch = self._scratch / request.tenant_id / f"{request.run_id}-{attempt}"
        return EngineRun(attempt, request, scratch, session.cancel)
