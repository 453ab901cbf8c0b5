"""What goes into the engine child and what comes back, one run at a time, as plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from workers.children.arrays import Array, restore
from workers.children.frames import Frame


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One attempt at one run.

    ``token`` is the lease's fencing token: every event carries it, so that what a superseded attempt says is
    recognised. ``parameters`` must be JSON; ``arrays`` are decoded inputs. Ids: letters, digits, ``-``,
    ``_``. ``files`` appear under their names in the run's ``inputs`` folder; they are linked, not copied,
    where that can be, so what they hold is the run's from then on.
    """

    run_id: str
    token: str
    tenant_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is, and the named parts of the loss at that moment. Sent at most ten times a second."""

    run_id: str
    token: str
    done: float
    total: float
    message: str
    losses: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A named part of the state: from the newest of each name the operation goes on as if never interrupted."""

    run_id: str
    token: str
    name: str
    step: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The run's result. Nothing follows it."""

    run_id: str
    token: str
    value: Mapping[str, Any]
    arrays: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Failed:
    """The run failed and would again: ``message`` and ``hint`` for the customer, ``detail`` for operators."""

    run_id: str
    token: str
    code: str
    message: str
    hint: str
    detail: str


@dataclass(frozen=True, slots=True)
class Canceled:
    """The run was stopped as asked."""

    run_id: str
    token: str


#: Names of files and of checkpoints: they become names in a folder.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def fits_as_name(name: str) -> bool:
    """Whether a file of the run, or a part of its checkpoint, may be called so."""
    return _NAME.fullmatch(name) is not None


EngineEvent: TypeAlias = Progress | Checkpoint | Finished | Failed | Canceled
Ending: TypeAlias = Finished | Failed | Canceled


class EngineDied(Exception):
    """The engine ended under the run, for a reason that need not lie in it.

    ``reason`` is "crashed", "memory", "scratch", "stubborn" (a canceled neighbour would not stop) or
    "closed". ``packed`` says that other runs were in the engine: then the attempt is to be repeated, alone in
    an engine of its own; if that dies too, the run is to blame.
    """

    def __init__(self, reason: str, *, packed: bool, evidence: str = "") -> None:
        super().__init__(f"the engine ended: {reason}")
        self.reason = reason
        self.packed = packed
        self.evidence = evidence


def from_frame(request: EngineRequest, frame: Frame) -> EngineEvent:
    """Return the event that a frame of the engine program tells; raises ``KeyError`` and the like for nonsense."""
    return _MAKERS[frame.header["kind"]](request, frame)


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
    header = frame.header
    name = str(header["name"])
    if not fits_as_name(name):
        raise ValueError(f"a checkpoint called {name!r}")
    return Checkpoint(request.run_id, request.token, name, int(header["step"]), bytes(frame.buffers[0]))


def _finished(request: EngineRequest, frame: Frame) -> Finished:
    return Finished(
        request.run_id, request.token, frame.header["value"], restore(frame.header["arrays"], frame.buffers)
    )


def _failed(request: EngineRequest, frame: Frame) -> Failed:
    texts = [str(frame.header[name]) for name in ("code", "message", "hint", "detail")]
    return Failed(request.run_id, request.token, *texts)


def _canceled(request: EngineRequest, _: Frame) -> Canceled:
    return Canceled(request.run_id, request.token)


ENDINGS: Final = frozenset({"finished", "failed", "canceled"})
_MAKERS: Final[Mapping[str, Callable[[EngineRequest, Frame], EngineEvent]]] = {
    "progress": _progress,
    "checkpoint": _checkpoint,
    "finished": _finished,
    "failed": _failed,
    "canceled": _canceled,
}
