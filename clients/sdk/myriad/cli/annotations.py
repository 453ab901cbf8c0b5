"""`myriad annotation`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from myriad.annotations.report import AnnotationResult, ImportReport
from myriad.cli.commands import Noun, limit_option, project_option, with_session
from myriad.cli.outcome import ExitCode
from myriad.cli.progress import Meter, import_line
from myriad.cli.session import Column, Session
from myriad.errors import ValidationFailed

# Images with problems shown one by one; --json has all of them.
_SHOWN = 20


@click.group(cls=Noun)
def annotation() -> None:
    """What labelers say of images."""


@annotation.command("import")
@click.argument("file", metavar="COCO.json", type=click.Path(path_type=Path))
@project_option
@click.option("--create-classes", is_flag=True, help="Make classes of categories that the label book lacks.")
@with_session
def import_annotations(session: Session, *, file: Path, project: str, create_classes: bool) -> ExitCode:
    """Annotate a project's images with the boxes of a COCO file.

    Images are found by their name in the project, or by the last part of it where that is unique; categories by name.
    An image of the file without boxes is annotated as good. Giving the same command again changes nothing. Exit code 4
    if any image was rejected.
    """
    found = session.client.projects.find(project)
    with Meter.of(session) as meter:
        report = session.client.annotations.import_coco(
            found.id,
            file,
            create_classes=create_classes,
            on_progress=lambda progress: meter.show(import_line(progress)),
        )
    if not report.results:
        raise ValidationFailed(f"{file} names no image.", code="no_images", hint="Export it again, with its images.")
    if session.as_json:
        session.document(report.to_json())
    else:
        _tell(session, report)
    return ExitCode.NOT_DONE if report.rejected else ExitCode.OK


@annotation.command("list")
@click.argument("image_id", metavar="IMAGE")
@limit_option
@with_session
def list_annotations(session: Session, image_id: str, limit: int) -> None:
    """Show the versions of one image's annotation, newest first."""
    columns = (
        Column("ID", lambda item: item.id),
        Column("NO", lambda item: item.number),
        Column("BOXES", lambda item: len(item.boxes)),
        Column("CLASSES", lambda item: tuple(sorted({box.name or box.class_id for box in item.boxes}))),
        Column("BY", lambda item: item.author and item.author.name),
        Column("ACCEPTED", lambda item: "yes" if item.accepted else None),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.annotations.list(image_id), columns, limit=limit)


def _tell(session: Session, report: ImportReport) -> None:
    if report.classes:
        session.note(f"Classes made: {', '.join(report.classes)}.")
    if report.crowds:
        session.note(f"{report.crowds:,} regions marked iscrowd were left out; they are no boxes of one thing.")
    _tell_warnings(session, report.results)
    _tell_rejected(session, report.rejected)
    counts = {"annotated": report.created, "unchanged": report.unchanged, "rejected": report.rejected}
    shown = [f"{len(results):,} {what}" for what, results in counts.items() if results or what == "annotated"]
    boxes = sum(result.boxes for result in report.created)
    click.echo(f"Images: {', '.join(shown)}. Boxes: {boxes:,} written.")


def _tell_warnings(session: Session, results: Iterable[AnnotationResult]) -> None:
    mended = [(result.name, warning) for result in results for warning in result.warnings]
    for name, warning in mended[:_SHOWN]:
        session.note(warning if name in warning else f"{name}: {warning}")
    if len(mended) > _SHOWN:
        session.note(f"And {len(mended) - _SHOWN:,} more were mended; --json lists all.")


def _tell_rejected(session: Session, rejected: tuple[AnnotationResult, ...]) -> None:
    for result in rejected[:_SHOWN]:
        message = result.message if result.name in result.message else f"{result.name}: {result.message}"
        session.note(f"{message} ({result.code})".replace("\n", " "))
        if result.hint:
            session.note(f"  hint: {result.hint}".replace("\n", " "))
    if len(rejected) > _SHOWN:
        session.note(f"And {len(rejected) - _SHOWN:,} more; --json lists all.")
