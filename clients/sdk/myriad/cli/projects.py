"""`myriad project` and `myriad class`."""

from __future__ import annotations

from pathlib import Path

import click

from myriad.cli.commands import Noun, limit_option, project_option, with_session
from myriad.cli.predicting import answer, predict_options
from myriad.cli.session import Column, Session

KINDS = click.Choice(["detection", "classification", "anomaly"], case_sensitive=False)


@click.group(cls=Noun)
def project() -> None:
    """Inspection problems."""


@project.command("create")
@click.argument("name")
@click.option("--kind", type=KINDS, required=True, help="What its models are to tell.")
@click.option("--description", default="", help="For people.")
@with_session
def create_project(session: Session, name: str, kind: str, description: str) -> None:
    """Make a project."""
    made = session.client.projects.create(name, kind=kind, description=description)
    session.made(made, f"Project {made.name} ({made.kind}) made: {made.id}", made.id)


@project.command("list")
@limit_option
@with_session
def list_projects(session: Session, limit: int) -> None:
    """Show the projects, newest first."""
    columns = (
        Column("ID", lambda item: item.id),
        Column("NAME", lambda item: item.name),
        Column("KIND", lambda item: item.kind),
        Column("IMAGES", lambda item: item.image_count),
        Column("LABELLED", lambda item: item.labelled_count),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.projects.list(), columns, limit=limit)


@project.command("show")
@click.argument("given", metavar="ID|NAME")
@with_session
def show_project(session: Session, given: str) -> None:
    """Show one project: what it has, and what of it is labelled."""
    found = session.client.projects.find(given)
    counted = session.client.projects.statistics(found.id)
    if session.as_json:
        session.document({**found.raw, "statistics": counted.raw})
        return
    promoted = session.client.projects.promotions(found.id, page_size=1).first()
    lines = {
        "project": f"{found.name} ({found.id})",
        "kind": found.kind,
        "images": found.image_count,
        "labelled": counted.labelled,
        "promoted": promoted.model if promoted else None,
        "made": found.created_at,
    }
    for item in counted.classes:
        lines[f"class {item.name}"] = f"{item.images:,} images, {item.boxes:,} boxes"
    session.shown(found, lines)


@project.command("predict")
@click.argument("given", metavar="PROJECT")
@predict_options
@with_session
def predict_for_project(
    session: Session, *, given: str, picture: str, output: Path | None, threshold: float | None
) -> None:
    """Tell what the project's promoted model finds in a picture: a file, or an image by its id."""
    found = session.client.projects.find(given)
    answer(session, picture, output, lambda: session.client.projects.predict(found.id, picture, threshold=threshold))


@click.group("class", cls=Noun)
def defect_class() -> None:
    """The label book of a project."""


@defect_class.command("create")
@click.argument("name")
@project_option
@click.option("--definition", default="", help="What counts as one, in words.")
@click.option("--rule", default="", help="How it is measured.")
@with_session
def create_class(session: Session, name: str, project: str, definition: str, rule: str) -> None:
    """Add a defect class."""
    found = session.client.projects.find(project)
    made = session.client.classes.create(found.id, name, definition=definition, rule=rule)
    session.made(made, f"Class {made.name} made: {made.id}", made.id)


@defect_class.command("list")
@project_option
@limit_option
@with_session
def list_classes(session: Session, project: str, limit: int) -> None:
    """Show the defect classes."""
    found = session.client.projects.find(project)
    columns = (
        Column("ID", lambda item: item.id),
        Column("NAME", lambda item: item.name),
        Column("IMAGES", lambda item: item.image_count),
        Column("BOXES", lambda item: item.box_count),
        Column("DEFINITION", lambda item: item.definition),
    )
    session.listed(session.client.classes.list(found.id), columns, limit=limit)
