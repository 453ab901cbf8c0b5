"""Computations in engine children: the `Computer` that handlers have as `context.children.engine`.

One engine serves all runs of a worker process, so that libraries and backbone are loaded once. It starts when it is
first needed and is ended when nobody has needed it for a minute: an idle worker is small.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from tenants.scope import refuse_open_transaction
from training.domain.computing import (
    Computation,
    ComputationRefused,
    ComputationStopped,
    Outcome,
    Part,
    Report,
)
from workers.children.engine import Engine
from workers.children.engine_events import Canceled, Checkpoint, EngineDied, EngineRequest, Failed, Progress
from workers.children.engine_session import EngineSettings
from workers.domain.scratch import scratch

logger = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
# What a run's checkpoint is called among its files, and the parameter that lists the parts' names.
CHECKPOINT_FILE = "checkpoint-{}"
CHECKPOINTS = "checkpoints"
# Failures of the engine's own: the customer can do nothing about them, and another attempt may go well.
_OURS = frozenset({"engine_error", "engine_silent"})

MakeEngine = Callable[[Path], Engine]
OnReport = Callable[[Report], None]
OnPart = Callable[[Part], None]
ShouldStop = Callable[[], bool]


class EngineFailed(Exception):
    """The engine ended under a computation, or met an error of ours: the job's next attempt may go well."""


def make_engine(folder: Path) -> Engine:
    """An engine as this worker's settings want it, working in `folder`."""
    return Engine(
        folder,
        EngineSettings(
            threads=settings.ENGINE_THREADS,
            resident=settings.ENGINE_RESIDENT_BYTES,
            scratch=settings.ENGINE_SCRATCH_BYTES,
            readable=(Path(settings.BACKBONE_DIR).resolve(),),
        ),
    )


class EngineComputer:
    """Keeps the promise of `training.domain.computing.Computer`. Any thread may call."""

    def __init__(self, *, make: MakeEngine = make_engine, idle_seconds: float = IDLE_SECONDS) -> None:
        self._make = make
        self._resident = _Resident(make, idle_seconds)

    def compute(
        self, computation: Computation, *, on_report: OnReport, on_part: OnPart, should_stop: ShouldStop
    ) -> Outcome:
        """See the Protocol; raises EngineFailed for a failure of ours.

        A run whose engine ended for what may have been a neighbour's doing goes on alone, in an engine of its own,
        from the last parts it gave out.
        """
        refuse_open_transaction("a child process")
        with scratch.job_folder(computation.tenant_id) as folder:
            kept = _Parts(folder, on_part)
            try:
                with self._resident.lent() as engine:
                    return _compute(engine, computation, on_report=on_report, on_part=kept.add, should_stop=should_stop)
            except EngineDied as death:
                # What it holds of earlier runs counts against the limit too, so memory alone accuses nobody either.
                if not death.packed and death.reason != "memory":
                    raise EngineFailed(f"{death}\n{death.evidence}") from death
                logger.warning("run %s goes on alone: %s", computation.run_id, death)
            resumed = kept.resume(computation)
            engine = self._make(folder / "engine")
            try:
                return _compute(engine, resumed, on_report=on_report, on_part=kept.add, should_stop=should_stop)
            except EngineDied as death:
                raise _blame(death) from death
            finally:
                engine.close()

    def close(self) -> None:
        """Ends the resident engine; runs still in it fail. The next computation starts another."""
        self._resident.close()


class _Resident:
    """The process's engine, there while it is used and `idle_seconds` longer."""

    def __init__(self, make: MakeEngine, idle_seconds: float) -> None:
        self._make = make
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._lent: tuple[Engine, Path] | None = None
        self._users = 0
        self._timer: threading.Timer | None = None

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        engine = self._borrow()
        try:
            yield engine
        finally:
            self._give_back()

    def close(self) -> None:
        with self._lock:
            self._end()

    def _borrow(self) -> Engine:
        folder = scratch.engine_folder()
        with self._lock:
            if self._lent is not None and self._lent[1] != folder:
                self._end()  # it may write only where it was started
            if self._lent is None:
                self._lent = self._make(folder), folder
            self._users += 1
            return self._lent[0]

    def _give_back(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._end_timer()
                self._timer = threading.Timer(self._idle_seconds, self._end_if_idle)
                self._timer.daemon = True
                self._timer.start()

    def _end_if_idle(self) -> None:
        with self._lock:
            # A timer that was replaced while it waited for the lock is not this one.
            if not self._users and self._timer is threading.current_thread():
                self._end()

    def _end(self) -> None:
        self._end_timer()
        if self._lent is not None:
            self._lent[0].close()
            self._lent = None

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Parts:
    """The newest parts of a run's checkpoint, kept in case its engine ends."""

    def __init__(self, folder: Path, on_part: OnPart) -> None:
        self._folder = folder
        self._on_part = on_part
        self._paths: dict[str, Path] = {}

    def add(self, part: Part) -> None:
        self._on_part(part)
        path = self._folder / CHECKPOINT_FILE.format(part.name)
        path.unlink(missing_ok=True)  # it may be linked into an engine's folder
        path.write_bytes(part.data)
        self._paths[part.name] = path

    def resume(self, computation: Computation) -> Computation:
        """The computation, to go on from these parts and from those it was given."""
        if not self._paths:
            return computation
        names = sorted({*computation.parameters.get(CHECKPOINTS, ()), *self._paths})
        files = {CHECKPOINT_FILE.format(name): path for name, path in self._paths.items()}
        return replace(
            computation,
            parameters={**computation.parameters, CHECKPOINTS: names},
            files={**computation.files, **files},
        )


def _compute(
    engine: Engine, computation: Computation, *, on_report: OnReport, on_part: OnPart, should_stop: ShouldStop
) -> Outcome:
    request = EngineRequest(
        run_id=computation.run_id,
        token=str(computation.token),
        tenant_id=str(computation.tenant_id),
        parameters=computation.parameters,
        files=computation.files,
    )
    (run,) = engine.start(computation.operation, [request])

    def report(event: Progress) -> None:
        on_report(Report(event.done, event.total, event.message, event.losses))

    def keep(event: Checkpoint) -> None:
        on_part(Part(event.name, event.step, event.data))

    ending = run.wait(on_progress=report, on_checkpoint=keep, should_stop=should_stop)
    if isinstance(ending, Canceled):
        raise ComputationStopped
    if isinstance(ending, Failed):
        raise _failure(ending)
    return Outcome(ending.value, {name: array.tobytes() for name, array in ending.arrays.items()})


def _failure(failed: Failed) -> Exception:
    if failed.code in _OURS:
        return EngineFailed(f"{failed.code}: {failed.message}\n{failed.detail}")
    return ComputationRefused(failed.code, failed.message, hint=failed.hint, detail=failed.detail)


def _blame(death: EngineDied) -> Exception:
    """What the end of a run's own engine says about the run."""
    if death.reason != "memory":
        return EngineFailed(f"{death}\n{death.evidence}")
    return ComputationRefused(
        "engine_memory",
        "The computation needs more memory than a run may have.",
        hint="Use fewer or smaller images, or tell us the run's number.",
        detail=death.evidence,
    )


# This process's.
computer = EngineComputer()
