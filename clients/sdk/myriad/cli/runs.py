"""`myriad run`."""

from __future__ import annotations

from typing import Any

import click

from myriad.cli.commands import Noun, limit_option, number_option, project_option, with_session
from myriad.cli.outcome import ExitCode
from myriad.cli.progress import Meter, run_line
from myriad.cli.session import Column, Session
from myriad.resources.runs import Run


@click.group(cls=Noun)
def run() -> None:
    """Trainings."""


@run.command("start")
@project_option
@click.option("--snapshot", metavar="ID|NUMBER", help="What to train on. Default: the newest that is ready.")
@click.option("--recipe", default="fast", show_default=True, help="The training settings, by name.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all chance in it.")
@click.option("--watch", is_flag=True, help="Wait until it ends; exit code 4 unless it succeeds.")
@with_session
def start_run(session: Session, *, project: str, snapshot: str | None, recipe: str, seed: int, watch: bool) -> ExitCode:
    """Train a model on a snapshot."""
    found = session.client.projects.find(project)
    chosen = session.client.snapshots.find(snapshot, project_id=found.id).id if snapshot else None
    started = session.client.runs.start(found.id, snapshot_id=chosen, recipe=recipe, seed=seed)
    for warning in started.warnings:
        session.note(f"warning: {warning.get('message', warning) if isinstance(warning, dict) else warning}")
    if not watch:
        session.made(started, f"Run {started.number} ({started.recipe}) started: {started.id}", started.id)
        return ExitCode.OK
    session.note(f"Run {started.number} ({started.recipe}) started: {started.id}")
    return _follow(session, started, timeout=None)


@run.command("list")
@project_option
@limit_option
@with_session
def list_runs(session: Session, project: str, limit: int) -> None:
    """Show the runs, newest first."""
    found = session.client.projects.find(project)
    columns = (
        Column("ID", lambda item: item.id),
        Column("NO", lambda item: item.number),
        Column("STATE", lambda item: item.state),
        Column("RECIPE", lambda item: item.recipe),
        Column("DONE", lambda item: f"{100 * item.progress.done / (item.progress.total or 1):.0f} %"),
        Column("MODEL", lambda item: item.model),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.runs.list(found.id), columns, limit=limit)


@run.command("show")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@with_session
def show_run(session: Session, given: str, project: str | None) -> None:
    """Show one run."""
    _show(session, _find(session, given, project))


@run.command("watch")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up after so many seconds.")
@with_session
def watch_run(session: Session, given: str, project: str | None, timeout: float | None) -> ExitCode:
    """Wait until a run ends; exit code 4 if it fails, is canceled, or takes too long."""
    return _follow(session, _find(session, given, project), timeout=timeout)


@run.command("cancel")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@with_session
def cancel_run(session: Session, given: str, project: str | None) -> None:
    """Ask a run to stop."""
    _show(session, session.client.runs.cancel(_find(session, given, project).id))


def _find(session: Session, given: str, project: str | None) -> Run:
    return session.client.runs.find(given, project_id=session.project_id(project))


def _follow(session: Session, followed: Run, *, timeout: float | None) -> ExitCode:
    try:
        with Meter.of(session) as meter:
            ended = session.client.runs.wait(
                followed.id, timeout=timeout, on_progress=lambda seen: meter.show(run_line(seen))
            )
    except KeyboardInterrupt:
        run_id = followed.id
        session.note(f"The run goes on; `myriad run watch {run_id}` follows it, `myriad run cancel {run_id}` ends it.")
        raise
    _show(session, ended)
    return ExitCode.OK if ended.state == "SUCCEEDED" else ExitCode.NOT_DONE


def _show(session: Session, shown: Run) -> None:
    lines: dict[str, Any] = {
        "run": f"{shown.id} (number {shown.number})",
        "project": shown.project,
        "snapshot": shown.snapshot,
        "recipe": f"{shown.recipe} (version {shown.recipe_version}), seed {shown.seed}",
        "state": shown.state,
        "progress": f"{shown.progress.done:,.0f} of {shown.progress.total:,.0f}  {shown.progress.message}".rstrip(),
        "model": shown.model,
        "made": shown.created_at,
    }
    if shown.queue_place is not None:
        lines["queue place"] = shown.queue_place
    if shown.error is not None:
        lines |= {"error": f"{shown.error.message} ({shown.error.code})", "hint": shown.error.hint}
    session.shown(shown, lines)
