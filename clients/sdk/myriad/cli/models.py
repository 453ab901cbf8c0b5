"""`myriad model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from myriad.cli import scores
from myriad.cli.commands import Noun, limit_option, number_option, project_option, with_session
from myriad.cli.predicting import answer, predict_options
from myriad.cli.progress import Meter, job_line
from myriad.cli.session import Column, Session
from myriad.resources.models import Interval, Model

_VERDICTS = {
    "A_BETTER": "A is better",
    "B_BETTER": "B is better",
    "CANNOT_TELL": "cannot tell them apart with these images",
}
# What stands for all figures of a model, by its project's kind.
_MAIN = {"CLASSIFICATION": "ACCURACY", "ANOMALY": "AUROC"}


@click.group(cls=Noun)
def model() -> None:
    """What trainings publish."""


@model.command("list")
@project_option
@limit_option
@with_session
def list_models(session: Session, project: str, limit: int) -> None:
    """Show the models, newest first."""
    found = session.client.projects.find(project)
    columns = (
        Column("ID", lambda item: item.id),
        Column("NO", lambda item: item.number),
        Column("RECIPE", lambda item: item.recipe),
        Column(_MAIN.get(found.kind, "AP50"), _main),
        Column("CLASSES", lambda item: len(item.classes)),
        Column("BYTES", lambda item: item.size),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.models.list(found.id), columns, limit=limit)


@model.command("show")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@with_session
def show_model(session: Session, given: str, project: str | None) -> None:
    """Show one model, and how well it finds each class."""
    shown = _find(session, given, project)
    # A number is found in a list, whose items say less.
    shown = session.client.models.get(shown.id)
    lines: dict[str, Any] = {
        "model": f"{shown.id} (number {shown.number})",
        "project": shown.project,
        "run": shown.run,
        "snapshot": shown.snapshot,
        "recipe": shown.recipe,
        "classes": ", ".join(item.name for item in shown.classes),
        "bytes": shown.size,
        "exported": "yes" if shown.exported else "not yet",
        "made": shown.created_at,
    }
    if shown.evaluation is not None:
        lines["evaluated"] = scores.method_line(shown.evaluation)
    session.shown(shown, lines)
    if shown.evaluation is not None and not session.as_json:
        click.echo()
        session.table(*scores.score_table(shown.evaluation))


@model.command("compare")
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@number_option
@with_session
def compare_models(session: Session, one: str, other: str, project: str | None) -> None:
    """Tell which of two models is better, on the snapshot that both were evaluated on."""
    first, second = _find(session, one, project), _find(session, other, project)
    compared = session.client.models.compare(first.id, second.id)
    verdict = _VERDICTS.get(compared.verdict, compared.verdict)
    session.shown(compared, {"A": first.id, "B": second.id, "images": compared.images, "verdict": verdict})
    if not session.as_json:
        click.echo()
        session.table(scores.difference_rows(compared), scores.DIFFERENCE_HEADINGS)


@model.command("predict")
@click.argument("given", metavar="MODEL")
@predict_options
@number_option
@with_session
def predict_with_model(
    session: Session,
    *,
    given: str,
    picture: str,
    output: Path | None,
    threshold: float | None,
    project: str | None,
) -> None:
    """Tell what a model finds in a picture: a file, or an image of the tenant by its id."""
    found = _find(session, given, project)
    answer(session, picture, output, lambda: session.client.models.predict(found.id, picture, threshold=threshold))


@model.command("export")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write to."
)
@with_session
def export_model(session: Session, given: str, project: str | None, output: Path) -> None:
    """Save a model as one ONNX file that runs by itself, with a manifest that says how."""
    found = _find(session, given, project)
    with Meter.of(session) as meter:
        saved = session.client.models.export(found.id, output, on_progress=lambda job: meter.show(job_line(job)))
    document = {"model": found.id, "onnx": str(saved.onnx), "manifest": str(saved.manifest)}
    session.saved(document, f"Model {found.number}: {saved.onnx}, {saved.manifest}", str(saved.onnx))


@model.command("promote")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@with_session
def promote_model(session: Session, given: str, project: str | None) -> None:
    """Let a model answer at its project's address."""
    found = _find(session, given, project)
    made = session.client.models.promote(found.id)
    session.made(made, f"Model {found.number} answers for its project from now on.", made.id)


def _find(session: Session, given: str, project: str | None) -> Model:
    return session.client.models.find(given, project_id=session.project_id(project))


def _main(shown: Model) -> str | None:
    interval: Interval | None = shown.evaluation.metrics.main if shown.evaluation else None
    if interval is None or interval.value is None:
        return None
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"
