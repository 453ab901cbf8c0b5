"""Jobs: units of background work, and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from myriad.answers import Answer
from myriad.errors import NotDone
from myriad.listing import Listing
from myriad.transport import Pause, Transport, path_of

FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})

# Seconds between two looks at the jobs: often at first, since most are short, then less and less, to the
# second figure while they move and to the third while they do not. Looking costs the server time that the
# jobs could use.
_FIRST_LOOK = 0.25
_MOVING_LOOK = 1.0
_IDLE_LOOK = 4.0
# Jobs looked at in one round. A tenant's jobs run nearly in order, so the later ones can wait for their turn.
_LOOKED_AT = 4


@dataclass(frozen=True, kw_only=True)
class Progress(Answer):
    """`losses` are the named parts of a training's loss, where the work is one."""

    done: float = 0
    total: float = 0
    message: str = ""
    losses: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Problem(Answer):
    """Why a job or an image failed, in words for the customer."""

    code: str
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Job(Answer):
    """`state` is PENDING, DISPATCHED, RUNNING, SUCCEEDED, FAILED or CANCELED."""

    id: str
    kind: str
    state: str
    attempts: int = 0
    max_attempts: int = 0
    progress: Progress = field(default_factory=Progress)
    queue_place: int | None = None
    eta_seconds: float | None = None
    result: Any = None
    error: Problem | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


OnJobs = Callable[[Mapping[str, Job]], object]


class Jobs:
    def __init__(self, transport: Transport, pause: Pause) -> None:
        self._transport = transport
        self._pause = pause

    def list(self, *, page_size: int = 100) -> Listing[Job]:
        return Listing(self._transport, path_of("jobs"), Job, {"limit": page_size})

    def get(self, job_id: str) -> Job:
        reply = self._transport.get(path_of("jobs", job_id))
        return Job.from_json(reply.document, reply.request_id)

    def cancel(self, job_id: str) -> Job:
        """Ask for the job to stop; it is CANCELED once it has."""
        reply = self._transport.post(path_of("jobs", job_id, "cancel"))
        return Job.from_json(reply.document, reply.request_id)

    def wait(
        self, job_ids: Iterable[str], *, timeout: float | None = None, on_progress: OnJobs | None = None
    ) -> tuple[Job, ...]:
        """Wait until all the jobs have ended, well or not, and give them in the order asked for.

        `on_progress` is called, in the caller's thread, after each round of looking, with every job known so
        far by id. Raises `NotDone` after `timeout` seconds; the jobs go on.
        """
        ids = list(dict.fromkeys(job_ids))
        deadline = None if timeout is None else time.monotonic() + timeout
        jobs: dict[str, Job] = {}
        between = _FIRST_LOOK
        while True:
            waiting = [job_id for job_id in ids if job_id not in jobs or not jobs[job_id].is_final]
            moved = False
            for job_id in waiting[:_LOOKED_AT]:
                job = self.get(job_id)
                moved = moved or jobs.get(job_id) != job
                jobs[job_id] = job
            if on_progress is not None:
                on_progress(dict(jobs))
            waiting = [job_id for job_id in waiting if job_id not in jobs or not jobs[job_id].is_final]
            if not waiting:
                return tuple(jobs[job_id] for job_id in ids)
            if deadline is not None and time.monotonic() + between > deadline:
                raise _not_done(waiting)
            self._pause(between)
            between = min(between * 1.5, _MOVING_LOOK if moved else _IDLE_LOOK)


def _not_done(waiting: list[str]) -> NotDone:
    which = waiting[0] if len(waiting) == 1 else f"{waiting[0]} and {len(waiting) - 1} more"
    return NotDone(f"Job {which} has not ended in time.", hint=f"It goes on; see `myriad job watch {waiting[0]}`.")
