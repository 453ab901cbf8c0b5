"""A run as its pages tell it: where it stands in words, how far it is, and how long that will take."""

import json
from dataclasses import dataclass
from typing import Any

from tenants import jobs
from tenants.models import Job
from tenants.templatetags.pages import lasting
from training.models import Run

_BADGES = {
    Job.State.PENDING: "Waiting",
    Job.State.DISPATCHED: "Starting",
    Job.State.RUNNING: "Learning",
    Job.State.SUCCEEDED: "Done",
    Job.State.FAILED: "Failed",
    Job.State.CANCELED: "Canceled",
}


@dataclass(frozen=True)
class Told:
    """`state` is the job's, but for a run whose model is published, which succeeded however its job ended then."""

    state: str
    badge: str
    active: bool
    stopping: bool
    # 0 to 100; None before it began.
    percent: float | None
    # What it does now.
    words: str
    # Seconds until it ends, at the present pace.
    eta: int | None
    # Seconds that it took, once it ended.
    took: float | None
    error: dict[str, Any] | None
    model_id: Any
    # The newest point of its curve, as JSON: percent and losses; empty where there is none.
    point: str


def told(run: Run, *, queue: bool = False) -> Told:
    """`run` is one of `training.domain.queries`. With `queue` its place is asked for, while it waits."""
    job, model_id = run.job, run.model_id  # type: ignore[attr-defined]  # annotated by training.domain.queries
    state = Job.State(Job.State.SUCCEEDED if model_id else job.state)
    active = state in Job.ACTIVE
    stopping = active and job.cancel_requested_at is not None
    percent = _percent(job.progress) if state == Job.State.RUNNING else None
    began, ended = job.started_at, job.finished_at
    return Told(
        state=state.value,
        badge="Stopping" if stopping else _BADGES[state],
        active=active,
        stopping=stopping,
        percent=percent,
        words=_words(job, state, stopping=stopping, queue=queue),
        eta=job.progress.get("eta_seconds") if state == Job.State.RUNNING else None,
        took=(ended - began).total_seconds() if began and ended and not active else None,
        error=job.error if state == Job.State.FAILED else None,
        model_id=model_id,
        point=json.dumps([percent, job.progress["losses"]]) if percent and job.progress.get("losses") else "",
    )


def curve(run: Run) -> list[list[Any]]:
    """`[[percent of the run, losses], …]`."""
    total = run.job.progress.get("total") or max((step for step, _ in run.curve), default=1)
    return [[round(100 * step / total, 2), losses] for step, losses in run.curve]


def _percent(progress: dict[str, Any]) -> float | None:
    total = progress.get("total")
    return round(min(100.0, 100 * progress.get("done", 0) / total), 1) if total else None


def _words(job: Job, state: Job.State, *, stopping: bool, queue: bool) -> str:
    if stopping:
        return "It stops within seconds."
    if state == Job.State.PENDING:
        return _waiting(job, queue=queue)
    if state == Job.State.DISPATCHED:
        return "A worker is about to begin."
    if state == Job.State.RUNNING:
        message: str = job.progress.get("message") or "A worker has begun."
        return message[:1].upper() + message[1:]
    return ""


def _waiting(job: Job, *, queue: bool) -> str:
    again = "It was interrupted and goes on from where it was; it waits for a worker" if job.attempts else ""
    waits = again or "It waits for a worker"
    expected = jobs.forecast(job) if queue else jobs.Forecast()
    if expected.queue_place is None:
        return f"{waits}."
    if expected.eta_seconds is None:
        return f"{waits}: number {expected.queue_place} in the queue. No worker is there to take it yet."
    turn = lasting(expected.eta_seconds)
    return f"{waits}: number {expected.queue_place} in the queue, its turn comes in about {turn}."
