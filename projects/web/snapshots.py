"""Freezing labelled data, seeing what changed, and taking it home."""

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.api.snapshot_serializers import SnapshotInput
from projects.domain import queries, snapshots
from projects.models import Image, Snapshot
from projects.web.changes import told_difference
from projects.web.exports import told_exports
from projects.web.overview import split_bar
from tenants.models import Job
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage

A_PAGE = 20
# Offered to compare with.
MOST_COMPARED = 50


class SnapshotsPage(TenantPage):
    """The project's snapshots, and the form that freezes another."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}
    template = "projects/snapshots.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = queries.project_named(project_id)
        rows = queries.snapshots(project_id).select_related("created_by__user")
        page = page_of_rows(rows, cursor=request.GET.get("cursor"), limit=A_PAGE)
        entries = [_entry(snapshot) for snapshot in page.rows]
        newest = next((entry["snapshot"] for entry in entries if entry["status"] == Snapshot.Status.READY), None)
        return {
            "project": project,
            "part": "snapshots",
            "page": page,
            "entries": entries,
            "active": any(entry["status"] == Snapshot.Status.BUILDING for entry in entries),
            # Images more than the newest holds; what was relabelled since does not show in it.
            "more": project.labelled_count - newest.image_count if newest and page.previous is None else 0,
        }

    def act(self, request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
        """Freezes what is labelled."""
        values = form_values(SnapshotInput, request.POST)
        snapshot = snapshots.create_snapshot(project_id=project_id, by=self.seat.principal, **values)
        messages.success(request, f"Snapshot {snapshot.number} is being made.")
        return redirect(self.address("snapshots", project_id))


class SnapshotPage(TenantPage):
    """One snapshot. `?against=` names another one, since which the changes are told."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "projects/snapshot.html"
    section = "projects"

    def read(self, request: HttpRequest, snapshot_id: uuid.UUID) -> dict[str, Any]:
        snapshot = queries.snapshot_named(snapshot_id)
        ready = queries.snapshots(snapshot.project_id).filter(status=Snapshot.Status.READY).exclude(id=snapshot.id)
        others = list(ready.order_by("-id")[:MOST_COMPARED])
        entry = _entry(snapshot)
        return (
            entry
            | told_exports(snapshot)
            | {
                "project": snapshot.project,
                "part": "snapshots",
                "author": snapshot.created_by.user.name,
                "active": entry["status"] == Snapshot.Status.BUILDING,
                "most_boxes": max((label["boxes"] for label in snapshot.classes), default=0),
                "others": others,
                # What one would ask: what is new since the one before.
                "before": next((other.id for other in others if other.number < snapshot.number), None),
                "against": _against(request),
            }
        )

    def sign(self, context: dict[str, Any]) -> None:
        """Compares, where that was asked for: both manifests are read from S3."""
        if context["against"] is None:
            return
        with self.telling(context, "not_compared"):
            found = snapshots.diff_snapshots(
                snapshot_id=context["snapshot"].id, against_id=context["against"], by=self.seat.principal
            )
            context["changes"] = told_difference(found)


def _entry(snapshot: Snapshot) -> dict[str, Any]:
    status, error = snapshots.standing(snapshot)
    progress = snapshot.job.progress if snapshot.job else {}
    waits = snapshot.job is not None and snapshot.job.state != Job.State.RUNNING
    return {
        "snapshot": snapshot,
        "status": status,
        "error": error,
        "percent": round(100 * progress.get("done", 0) / progress["total"]) if progress.get("total") else None,
        "words": "waits for a worker" if waits else progress.get("message", ""),
        "splits": split_bar({split: snapshot.splits.get(split, 0) for split in Image.Split.values}),
    }


def _against(request: HttpRequest) -> uuid.UUID | None:
    """The snapshot that is to be compared with; what is no id is as if nothing was asked."""
    try:
        return uuid.UUID(request.GET.get("against", ""))
    except ValueError:
        return None
