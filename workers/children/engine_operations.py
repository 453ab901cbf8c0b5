"""The engine's operations, by name, and what each of them is given. Runs in the engine child only.

An operation takes a *pack*: one or more runs that it may compute together. It ends each of them by ``finish``
or ``fail``, and looks at ``should_stop`` at least once a second; a run of the pack that is to stop is left
out of what follows while the others go on. What it forgets, the server ends for it.
"""

from __future__ import annotations

import importlib
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np

from workers.children.arrays import Array, describe

#: Sends an event: header, buffers.
Send: TypeAlias = Callable[[dict[str, Any], Sequence[memoryview]], None]

_PROGRESS_SECONDS: Final = 0.1


@dataclass(slots=True)
class RunContext:
    """One run as its operation sees it. Any thread may call its methods; after the end they do nothing.

    ``scratch`` is the run's own folder; the request's files are in its ``inputs``.
    """

    attempt: int
    run_id: str
    tenant_id: str
    parameters: Mapping[str, Any]
    arrays: Mapping[str, Array]
    scratch: Path
    device: str
    send: Send
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _ended: bool = False
    _reported_at: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether the run has its ending."""
        return self._ended

    def stop(self) -> None:
        """Ask the operation to leave this run."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Whether the run was canceled (or has ended): its operation is to drop it."""
        return self._ended or self._stop.is_set()

    def progress(
        self, done: float, total: float, *, message: str = "", losses: Mapping[str, float] | None = None
    ) -> None:
        """Report progress; more than ten reports a second are dropped, but not the one that all is done."""
        now = time.monotonic()
        if now - self._reported_at < _PROGRESS_SECONDS and done < total:
            return
        self._reported_at = now
        self._event("progress", {"done": done, "total": total, "message": message, "losses": dict(losses or {})})

    def checkpoint(self, data: bytes, *, step: int, name: str) -> None:
        """Hand out a part of the state after ``step``; the parts together are what the operation can go on from."""
        self._event("checkpoint", {"step": step, "name": name}, [memoryview(data)])

    def finish(self, value: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
        """End the run with its result: JSON and arrays."""
        descriptions, buffers = describe(arrays or {})
        self._event("finished", {"value": dict(value), "arrays": descriptions}, buffers, ends=True)

    def fail(self, code: str, message: str, *, hint: str, detail: str = "") -> None:
        """End the run: with these inputs it cannot be done."""
        self._event("failed", {"code": code, "message": message, "hint": hint, "detail": detail}, ends=True)

    def leave(self) -> None:
        """End a run that was canceled."""
        self._event("canceled", {}, ends=True)

    def _event(
        self, kind: str, fields: dict[str, Any], buffers: Sequence[memoryview] = (), *, ends: bool = False
    ) -> None:
        with self._lock:
            if self._ended:
                return
            self.send({"kind": kind, "attempt": self.attempt, **fields}, buffers)
            self._ended = ends


Pack: TypeAlias = Sequence[RunContext]
Operation: TypeAlias = Callable[[Pack], None]

#: name → "module:function". A request can name these and nothing else; a module is imported when first
#: needed.
OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ping": "workers.children.engine_operations:ping",
        "train": "training.engine:train",
        "export": "training.engine:export",
    }
)


def find(name: str, table: Mapping[str, str]) -> Operation:
    """Return the operation called ``name``; raises ``KeyError`` for one that is not in the table."""
    module, _, function = table[name].partition(":")
    operation: Operation = getattr(importlib.import_module(module), function)
    return operation


def ping(pack: Pack) -> None:
    """Send each run's arrays back, with the sum that the device made of them and what the device is."""
    for run in pack:
        if not run.should_stop():
            run.finish({"device": _describe_device(run.device), "total": _total(run)}, run.arrays)


def _total(run: RunContext) -> float:
    """Add up all elements on the device: the shortest path through everything that a training needs."""
    if run.device == "cpu":
        return float(sum(np.sum(array, dtype=np.float64) for array in run.arrays.values()))
    torch = importlib.import_module("torch")
    parts = (torch.as_tensor(array.astype(np.float32)) for array in run.arrays.values())
    return float(sum(part.to(run.device).sum().item() for part in parts))


def _describe_device(device: str) -> dict[str, Any]:
    if device == "cpu":
        return {"kind": "cpu", "name": _processor(), "count": len(os.sched_getaffinity(0)), "memory": None}
    torch = importlib.import_module("torch")
    properties = torch.cuda.get_device_properties(device)
    return {"kind": device, "name": properties.name, "count": 1, "memory": properties.total_memory}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
