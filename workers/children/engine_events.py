"""What goes into the engine child and what comes back, one run at a time, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from workers.children.arrays import Array


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One attempt at one run.

    ``token`` is the lease's fencing token: every event carries it, so that what a superseded attempt says is
    recognised. ``parameters`` must be JSON; ``arrays`` are decoded inputs. Ids: letters, digits, ``-``,
    ``_``.
    """

    run_id: str
    token: str
    tenant_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


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
    """Bytes from which the same operation can go on after ``step`` as if never interrupted."""

    run_id: str
    token: str
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
