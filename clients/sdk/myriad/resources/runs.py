"""Runs: one training of one recipe on one snapshot, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from myriad.answers import Answer
from myriad.errors import NotDone
from myriad.listing import Listing
from myriad.resources.jobs import FINAL_STATES, Problem, Progress
from myriad.resources.numbered import find_numbered
from myriad.transport import Pause, Transport, path_of

# Seconds between two looks at a run that moves, and at one that waits for its turn.
_RUNNING_LOOK = 0.5
_WAITING_LOOK = 2.0


@dataclass(frozen=True, kw_only=True)
class Run(Answer):
    """`state` is that of its job: PENDING, DISPATCHED, RUNNING, SUCCEEDED, FAILED or CANCELED.

    `model` is the id of what it published, once it has. `warnings` say what of the data will not serve well.
    """

    id: str
    number: int
    state: str
    project: str = ""
    snapshot: str = ""
    recipe: str = ""
    recipe_version: int = 0
    seed: int = 0
    progress: Progress = field(default_factory=Progress)
    eta_seconds: float | None = None
    queue_place: int | None = None
    error: Problem | None = None
    model: str | None = None
    warnings: tuple[Any, ...] = ()
    curve: tuple[Any, ...] = ()
    job: str | None = None
    created_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


OnRun = Callable[[Run], object]


class Runs:
    def __init__(self, transport: Transport, pause: Pause) -> None:
        self._transport = transport
        self._pause = pause

    def start(self, project_id: str, *, snapshot_id: str | None = None, recipe: str = "fast", seed: int = 0) -> Run:
        """Start a training on a snapshot; without one, on the project's newest that is READY."""
        body: dict[str, object] = {"recipe": recipe, "seed": seed}
        if snapshot_id is not None:
            body["snapshot"] = snapshot_id
        reply = self._transport.post(path_of("projects", project_id, "runs"), body)
        return Run.from_json(reply.document, reply.request_id)

    def list(self, project_id: str, *, page_size: int = 100) -> Listing[Run]:
        """Give the project's runs, newest first."""
        return Listing(self._transport, path_of("projects", project_id, "runs"), Run, {"limit": page_size})

    def get(self, run_id: str) -> Run:
        reply = self._transport.get(path_of("runs", run_id))
        return Run.from_json(reply.document, reply.request_id)

    def find(self, id_or_number: str, *, project_id: str | None = None) -> Run:
        """Give the run with this id or, in the project, this number."""
        listed = (lambda: self.list(project_id, page_size=500)) if project_id else None
        return find_numbered(id_or_number, what="run", get=self.get, listed=listed)

    def cancel(self, run_id: str) -> Run:
        """Ask the run to stop; it is CANCELED once it has."""
        reply = self._transport.post(path_of("runs", run_id, "cancel"))
        return Run.from_json(reply.document, reply.request_id)

    def wait(self, run_id: str, *, timeout: float | None = None, on_progress: OnRun | None = None) -> Run:
        """Wait until the run has ended, well or not, and give it as it is then.

        `on_progress` is called with the run at each look, in the caller's thread. Raises `NotDone` after `timeout`
        seconds; the run goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            run = self.get(run_id)
            if on_progress is not None:
                on_progress(run)
            if run.is_final:
                return run
            between = _RUNNING_LOOK if run.state == "RUNNING" else _WAITING_LOOK
            if deadline is not None and time.monotonic() + between > deadline:
                raise NotDone(
                    f"Run {run.number} has not ended in time.", hint=f"It goes on; see `myriad run watch {run_id}`."
                )
            self._pause(between)
