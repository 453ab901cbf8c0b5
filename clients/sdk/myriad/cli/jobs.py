"""`myriad job`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from myriad.cli.commands import Noun, limit_option, with_session
from myriad.cli.outcome import ExitCode
from myriad.cli.progress import Meter, job_line
from myriad.cli.session import Column, Session
from myriad.resources.jobs import Job


@click.group(cls=Noun)
def job() -> None:
    """Background work."""


@job.command("list")
@limit_option
@with_session
def list_jobs(session: Session, limit: int) -> None:
    """Show the jobs, newest first."""
    columns = (
        Column("ID", lambda item: item.id),
        Column("KIND", lambda item: item.kind),
        Column("STATE", lambda item: item.state),
        Column("DONE", lambda item: f"{item.progress.done:.0f}/{item.progress.total:.0f}"),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.jobs.list(), columns, limit=limit)


@job.command("show")
@click.argument("job_id", metavar="ID")
@with_session
def show_job(session: Session, job_id: str) -> None:
    """Show one job."""
    _show(session, session.client.jobs.get(job_id))


@job.command("watch")
@click.argument("job_id", metavar="ID")
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up after so many seconds.")
@with_session
def watch_job(session: Session, job_id: str, timeout: float | None) -> ExitCode:
    """Wait until a job ends; exit code 4 if it fails, is canceled, or takes too long."""
    with Meter.of(session) as meter:

        def on_progress(jobs: Mapping[str, Job]) -> None:
            meter.show(job_line(jobs[job_id]))

        (ended,) = session.client.jobs.wait([job_id], timeout=timeout, on_progress=on_progress)
    _show(session, ended)
    return ExitCode.OK if ended.state == "SUCCEEDED" else ExitCode.NOT_DONE


@job.command("cancel")
@click.argument("job_id", metavar="ID")
@with_session
def cancel_job(session: Session, job_id: str) -> None:
    """Ask a job to stop."""
    _show(session, session.client.jobs.cancel(job_id))


def _show(session: Session, shown: Job) -> None:
    lines: dict[str, Any] = {
        "job": shown.id,
        "kind": shown.kind,
        "state": shown.state,
        "attempts": f"{shown.attempts} of {shown.max_attempts}",
        "progress": f"{shown.progress.done:.0f} of {shown.progress.total:.0f}",
        "made": shown.created_at,
        "started": shown.started_at,
        "ended": shown.finished_at,
    }
    if shown.queue_place is not None:
        lines["queue place"] = shown.queue_place
    if shown.error is not None:
        lines |= {"error": f"{shown.error.message} ({shown.error.code})", "hint": shown.error.hint}
    session.shown(shown, lines)
