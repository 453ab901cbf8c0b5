"""`myriad snapshot`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from myriad.cli.commands import Noun, limit_option, number_option, project_option, with_session
from myriad.cli.outcome import ExitCode
from myriad.cli.progress import Meter, job_line, transfer_line
from myriad.cli.session import Column, Session
from myriad.resources.snapshots import Difference, ImageDifference, Snapshot

# Images of a difference shown one by one; --json has up to 1,000.
_SHOWN = 20


@click.group(cls=Noun)
def snapshot() -> None:
    """Labelled data, frozen under a hash."""


@snapshot.command("create")
@project_option
@click.option("--note", default="", help="For people.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is ready.")
@with_session
def create_snapshot(session: Session, project: str, note: str, no_wait: bool) -> ExitCode:
    """Freeze what is labelled now; exit code 4 if that fails."""
    found = session.client.projects.find(project)
    made = session.client.snapshots.create(found.id, note=note)
    if not no_wait:
        with Meter.of(session) as meter:
            made = session.client.snapshots.wait(made, on_progress=lambda job: meter.show(job_line(job)))
    counts = f", {made.image_count:,} images, {made.box_count:,} boxes" if made.status == "READY" else ""
    session.made(made, f"Snapshot {made.number} ({made.status}{counts}) made: {made.id}", made.id)
    if made.error is not None and not session.as_json:
        session.note(f"{made.error.message} ({made.error.code})")
        session.note(f"  hint: {made.error.hint}")
    return ExitCode.NOT_DONE if made.status == "FAILED" else ExitCode.OK


@snapshot.command("list")
@project_option
@limit_option
@with_session
def list_snapshots(session: Session, project: str, limit: int) -> None:
    """Show the snapshots, newest first."""
    found = session.client.projects.find(project)
    columns = (
        Column("ID", lambda item: item.id),
        Column("NO", lambda item: item.number),
        Column("STATUS", lambda item: item.status),
        Column("IMAGES", lambda item: item.image_count),
        Column("BOXES", lambda item: item.box_count),
        Column("NOTE", lambda item: item.note),
        Column("MADE", lambda item: item.created_at),
    )
    session.listed(session.client.snapshots.list(found.id), columns, limit=limit)


@snapshot.command("show")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@with_session
def show_snapshot(session: Session, given: str, project: str | None) -> None:
    """Show one snapshot."""
    shown = _find(session, given, project)
    lines: dict[str, Any] = {
        "snapshot": f"{shown.id} (number {shown.number})",
        "project": shown.project,
        "status": shown.status,
        "images": shown.image_count,
        "boxes": shown.box_count,
        "splits": shown.splits,
        "manifest": shown.manifest_sha256,
        "note": shown.note,
        "made": shown.created_at,
    }
    for item in shown.classes:
        lines[f"class {item.name}"] = f"{item.images:,} images, {item.boxes:,} boxes"
    if shown.error is not None:
        lines |= {"error": f"{shown.error.message} ({shown.error.code})", "hint": shown.error.hint}
    session.shown(shown, lines)


@snapshot.command("diff")
@click.argument("before", metavar="OLD")
@click.argument("after", metavar="NEW")
@number_option
@with_session
def diff_snapshots(session: Session, before: str, after: str, project: str | None) -> None:
    """Show what changed from one snapshot to another: images, boxes, classes."""
    old, new = _find(session, before, project), _find(session, after, project)
    difference = session.client.snapshots.diff(new.id, against=old.id)
    session.shown(difference, _difference_lines(difference))
    if session.as_json:
        return
    for entry in difference.listed[:_SHOWN]:
        click.echo(_entry_line(entry))
    if difference.truncated or len(difference.listed) > _SHOWN:
        session.note("There are more; --json lists up to 1,000.")


@snapshot.command("export")
@click.argument("given", metavar="ID|NUMBER")
@number_option
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--manifest", is_flag=True, help="The manifest itself, instead of a COCO file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["coco", "voc", "yolo"], case_sensitive=False),
    help="A zip with the images, in this format.",
)
@with_session
def export_snapshot(
    session: Session, *, given: str, project: str | None, output: Path, manifest: bool, form: str | None
) -> None:
    """Save a snapshot: its boxes as a COCO file or, with --format, images and boxes as a zip. Hashes are checked.

    A zip is made by a job, which is waited for; exit code 4 if that fails.
    """
    if manifest and form:
        raise click.UsageError("--manifest and --format exclude each other.")
    found = _find(session, given, project)
    if form:
        _export_zip(session, found, form, output)
        return
    snapshots = session.client.snapshots
    path = snapshots.export_manifest(found, output) if manifest else snapshots.export_coco(found, output)
    sha256 = found.manifest_sha256 if manifest else found.coco_sha256
    text = f"Snapshot {found.number}, {found.image_count:,} images, {found.box_count:,} boxes: {path}"
    session.saved({"snapshot": found.id, "path": str(path), "sha256": sha256}, text, str(path))


def _export_zip(session: Session, found: Snapshot, form: str, output: Path) -> None:
    exports = session.client.exports
    with Meter.of(session) as meter:
        export = exports.create(found.id, format=form)
        export = exports.wait(export, on_progress=lambda job: meter.show(job_line(job)))
    with Meter.of(session) as meter:
        path = exports.save(
            export,
            output,
            on_bytes=lambda done: meter.show(transfer_line("Fetching", done, export.size, meter.seconds)),
        )
    if export.missing_count:
        session.note(f"{export.missing_count:,} images were deleted since the snapshot was made, and are left out.")
    document: dict[str, Any] = {"snapshot": found.id, "export": export.id, "format": export.format, "path": str(path)}
    document |= {"sha256": export.sha256, "images": export.image_count, "missing": export.missing_count}
    text = (
        f"Snapshot {found.number} as {export.format}, {export.image_count:,} images, {export.size / 1e6:.1f} MB: {path}"
    )
    session.saved(document, text, str(path))


def _find(session: Session, given: str, project: str | None) -> Snapshot:
    return session.client.snapshots.find(given, project_id=session.project_id(project))


def _difference_lines(difference: Difference) -> Mapping[str, Any]:
    lines: dict[str, Any] = {
        "images": _counts(difference.images),
        "boxes": _counts(difference.boxes),
        "splits": f"{difference.splits_changed:,} changed",
    }
    classes = [f"+{item.name}" for item in difference.classes_added]
    classes += [f"-{item.name}" for item in difference.classes_removed]
    classes += [f"{item.before} -> {item.after}" for item in difference.classes_renamed]
    return lines | {"classes": ", ".join(classes) or "the same"}


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _entry_line(entry: ImageDifference) -> str:
    sign = {"ADDED": "+", "REMOVED": "-"}.get(entry.change, "~")
    counts = {"added": entry.boxes_added, "removed": entry.boxes_removed, "changed": entry.boxes_changed}
    parts = [f"{count:,} {'box' if count == 1 else 'boxes'} {what}" for what, count in counts.items() if count]
    parts += [f"{name} {before} -> {after}" for name, (before, after) in entry.fields_changed.items()]
    return f"{sign} {entry.filename}  {', '.join(parts)}".rstrip()
