"""`myriad image list` and `show`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from myriad.cli.commands import Noun, limit_option, project_option, with_session
from myriad.cli.session import Column, Session
from myriad.errors import NotFound
from myriad.upload.sidecars import parse_pairs

STATUSES = click.Choice(["awaiting", "arrived", "ready", "failed"], case_sensitive=False)
SPLITS = click.Choice(["train", "validation", "test"], case_sensitive=False)


@click.group(cls=Noun)
def image() -> None:
    """Photographs."""


@image.command("list")
@project_option
@click.option("--status", type=STATUSES, help="Only those in this state.")
@click.option("--split", type=SPLITS, help="Only those of this split.")
@click.option("--class", "class_name", metavar="ID|NAME", help="Only those that show this class.")
@click.option("--filename", help="Only those of this name.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Only those with this metadata; may be repeated.")
@limit_option
@with_session
def list_images(
    session: Session,
    *,
    project: str,
    status: str | None,
    split: str | None,
    class_name: str | None,
    filename: str | None,
    meta: Sequence[str],
    limit: int,
) -> None:
    """Show images, newest first; every filter given must hold."""
    metadata = parse_pairs(meta)
    found = session.client.projects.find(project)
    images = session.client.images.list(
        found.id,
        status=status,
        split=split,
        class_id=_class_id(session, found.id, class_name) if class_name else None,
        filename=filename,
        metadata=metadata,
        page_size=min(limit + 1, 500) if limit else 500,
    )
    columns = (
        Column("ID", lambda item: item.id),
        Column("FILE", lambda item: item.filename),
        Column("STATUS", lambda item: item.status),
        Column("SPLIT", lambda item: item.split),
        Column("PIXELS", lambda item: f"{item.width}x{item.height}" if item.width else None),
        Column("METADATA", lambda item: item.metadata),
    )
    session.listed(images, columns, limit=limit)


@image.command("show")
@click.argument("image_id", metavar="ID")
@with_session
def show_image(session: Session, image_id: str) -> None:
    """Show one image."""
    shown = session.client.images.get(image_id)
    lines = {
        "image": shown.id,
        "project": shown.project,
        "file": shown.filename,
        "status": shown.status,
        "bytes": shown.size,
        "pixels": f"{shown.width} x {shown.height}" if shown.width else None,
        "type": shown.content_type,
        "sha256": shown.sha256,
        "split": f"{shown.split} (pinned)" if shown.split_pinned else shown.split,
        "group": shown.group,
        "classes": shown.classes,
        "metadata": shown.metadata,
        "job": shown.job,
        "made": shown.created_at,
    }
    if shown.error is not None:
        lines |= {"error": f"{shown.error.message} ({shown.error.code})", "hint": shown.error.hint}
    session.shown(shown, lines)


def _class_id(session: Session, project_id: str, id_or_name: str) -> str:
    for known in session.client.classes.list(project_id, page_size=500):
        if id_or_name in (known.id, known.name):
            return known.id
    raise NotFound(f"The project has no class {id_or_name!r}.", hint="`myriad class list` shows those there are.")
