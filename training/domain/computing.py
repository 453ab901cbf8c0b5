"""What a run asks of whoever computes it, and what it gets back: plain values, no Django and no torch.

The computer itself lives in `workers` (a resident child process); this side knows only the Protocol.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Computation:
    """One attempt at one operation. `token` is the lease's; `parameters` are JSON; `files` are copied in by name."""

    operation: str
    run_id: str
    token: int
    tenant_id: uuid.UUID
    parameters: Mapping[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """How far it is, and the named parts of the loss at that moment."""

    done: float
    total: float
    message: str
    losses: Mapping[str, float]


@dataclass(frozen=True)
class Part:
    """A part of a checkpoint: with the newest of each name, the operation goes on as if never interrupted."""

    name: str
    step: int
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """The result: JSON, and files by name."""

    value: Mapping[str, Any]
    files: Mapping[str, bytes]


class ComputationRefused(Exception):
    """It failed and would again: the data is to blame. `detail` is for operators, the rest for the customer."""

    def __init__(self, code: str, message: str, *, hint: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.detail = detail


class ComputationStopped(Exception):
    """`should_stop` said so."""


class Computer(Protocol):
    """Computes elsewhere; called without an open scope."""

    def compute(
        self,
        computation: Computation,
        *,
        on_report: Callable[[Report], None],
        on_part: Callable[[Part], None],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        """Blocks until the operation ends; the callbacks are called by this thread.

        Raises ComputationRefused or ComputationStopped; anything else it raises is a failure of ours, tried again.
        """
