"""`myriad dataset`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from myriad.cli.commands import Noun, limit_option, project_option, with_session
from myriad.cli.outcome import ExitCode
from myriad.cli.progress import Meter, job_line, transfer_line
from myriad.cli.session import Column, Session, as_text, printable
from myriad.errors import NotDone
from myriad.resources.imports import CheckReport, Finding, Import, ImportedFile

# Of each kind of problem, and of images that were not taken: places shown; --json has more.
_PLACES = 3
_SHOWN = 20


@click.group(cls=Noun)
def dataset() -> None:
    """Images and boxes together, as zips in COCO, Pascal VOC or YOLO."""


@dataset.command("import")
@click.argument("archive", metavar="FILE.zip", type=click.Path(path_type=Path))
@project_option
@click.option("--dry-run", is_flag=True, help="Only check, and show what would be done.")
@click.option("--create-classes", is_flag=True, help="Make classes that the label book lacks.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before importing.")
@with_session
def import_dataset(
    session: Session, *, archive: Path, project: str, dry_run: bool, create_classes: bool, yes: bool
) -> ExitCode:
    """Check a zip of images and boxes, show what would be done, and import it once you agree.

    After an interruption, give the same command again: it goes on where it was. Exit code 4 if the archive is
    refused, or if any image of it was not taken.
    """
    if not (dry_run or yes) and (session.as_json or not sys.stdin.isatty()):
        raise click.UsageError("There is nobody to ask: give --yes, or --dry-run.")
    found = session.client.projects.find(project)
    try:
        imported = _checked(session, found.id, archive)
        if imported.status == "DONE":
            # Somebody's commit of it was under way, or this command's own, broken off: there is nothing to ask.
            session.note("It is imported already.")
            return _committed(session, imported, create_classes=create_classes)
        if dry_run or session.as_json:
            if dry_run:
                return _dry(session, imported)
        else:
            _tell_report(session, _report(imported))
        if not yes and not click.confirm("Import this?", err=True):
            session.note(f"Nothing was imported. The archive is kept for some days as import {imported.id}.")
            return ExitCode.OK
        return _committed(session, imported, create_classes=create_classes)
    except KeyboardInterrupt:
        session.note("Interrupted. Give the same command again; it goes on where it was.")
        raise


@dataset.command("imports")
@project_option
@limit_option
@with_session
def list_imports(session: Session, project: str, limit: int) -> None:
    """Show a project's imports, newest first."""
    found = session.client.projects.find(project)
    columns = (
        Column("ID", lambda item: item.id),
        Column("FILE", lambda item: item.filename),
        Column("FORMAT", lambda item: item.format),
        Column("STATUS", lambda item: item.status),
        Column("BYTES", lambda item: item.size),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.imports.list(found.id), columns, limit=limit)


def _checked(session: Session, project_id: str, archive: Path) -> Import:
    """The archive sent and checked. Raises `NotDone` when it is refused."""
    imports = session.client.imports
    with Meter.of(session) as meter:
        size = archive.stat().st_size if archive.is_file() else 0
        imported = imports.create(
            project_id,
            archive,
            on_bytes=lambda done: meter.show(transfer_line("Sending", done, size, meter.seconds)),
        )
    with Meter.of(session) as meter:
        if imported.status == "COMMITTING":
            imported = imports.wait(imported, on_progress=lambda job: meter.show(job_line(job)))
        else:
            imported = imports.check(imported.id)
            imported = imports.wait(imported, on_progress=lambda job: meter.show(job_line(job)))
    _refuse_failed(imported)
    return imported


def _committed(session: Session, imported: Import, *, create_classes: bool) -> ExitCode:
    imports = session.client.imports
    with Meter.of(session) as meter:
        if imported.status != "DONE":
            imported = imports.commit(imported.id, create_classes=create_classes)
            imported = imports.wait(imported, on_progress=lambda job: meter.show(job_line(job)))
    _refuse_failed(imported)
    files = imports.results(imported.id)
    failed = [file for file in files if file.error is not None]
    if session.as_json:
        session.document({"import": imported.raw, "files": [file.raw for file in files]})
    else:
        _tell_failed(session, failed)
        click.echo(printable(imported.id if session.quiet else _summary(imported)))
    if failed and all(file.error is not None and file.error.code == "quota_exceeded" for file in failed):
        return ExitCode.QUOTA
    return ExitCode.NOT_DONE if failed else ExitCode.OK


def _dry(session: Session, imported: Import) -> ExitCode:
    if session.as_json:
        session.document({"import": imported.raw})
    else:
        _tell_report(session, _report(imported))
        session.note("Nothing was imported. Give the same command without --dry-run to import it.")
    return ExitCode.OK


def _refuse_failed(imported: Import) -> None:
    if imported.status == "FAILED":
        error = imported.error
        if error is None:
            raise NotDone("The import failed.", hint="Ask support.")
        raise NotDone(error.message, code=error.code, hint=error.hint)


def _report(imported: Import) -> CheckReport:
    return imported.report or CheckReport(format=imported.format)


def _tell_report(session: Session, report: CheckReport) -> None:
    unknown = [label.name for label in report.classes if not label.known]
    session.shown(
        report,
        {
            "format": report.format,
            "images": f"{report.images:,}: {report.new:,} new, {report.existing:,} there, {report.missing:,} missing",
            "labels": f"{report.labelled:,} images, {report.good:,} of them good, {report.boxes:,} boxes",
            "classes": ", ".join(label.name for label in report.classes) or "-",
            "not in the label book": ", ".join(unknown) or "-",
            "splits": report.splits,
        },
    )
    if not report.problems:
        return
    click.echo()
    rows = [[as_text(problem.count), problem.message, problem.action] for problem in report.problems]
    session.table(rows, ["COUNT", "WHAT", "WHAT WILL BE DONE"])
    for problem in report.problems:
        _tell_places(session, problem)


def _tell_places(session: Session, problem: Finding) -> None:
    for place in problem.references[:_PLACES]:
        words = [place.file, place.where, place.detail]
        session.note(f"  {problem.kind}: {'  '.join(word for word in words if word)}")
    if problem.count > _PLACES:
        session.note(f"  {problem.kind}: and {problem.count - _PLACES:,} more")


def _tell_failed(session: Session, failed: Sequence[ImportedFile]) -> None:
    for file in failed[:_SHOWN]:
        if file.error is not None:
            session.note(f"{file.file}: {file.error.message} ({file.error.code})")
            session.note(f"  hint: {file.error.hint}")
    if len(failed) > _SHOWN:
        session.note(f"And {len(failed) - _SHOWN:,} more; --json lists all.")


def _summary(imported: Import) -> str:
    result = imported.result
    if result is None:
        return f"Import {imported.id} is {imported.status}."
    counts: dict[str, Any] = {name.lower(): count for name, count in result.images.items() if count}
    shown = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
    made = f" Classes made: {', '.join(result.classes)}." if result.classes else ""
    return f"Images: {shown}. Labelled: {result.labelled:,}, with {result.boxes:,} boxes.{made}"
