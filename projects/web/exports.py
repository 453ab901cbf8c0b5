"""The zip files that are made of a snapshot, in the formats that other tools read."""

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.api.export_serializers import ExportInput
from projects.domain import exports, queries
from projects.models import Snapshot, SnapshotExport
from tenants.permissions import Permission
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage

# What each is good for.
FORMATS = {
    SnapshotExport.Format.COCO: "one JSON file; most tools read it",
    SnapshotExport.Format.VOC: "an XML file an image",
    SnapshotExport.Format.YOLO: "a text file an image, and data.yaml",
}
# Of the newest asked for; older ones of a format stand behind its newest.
MOST_READ = 30


class SnapshotExportsPage(TenantPage):
    """The part of a snapshot's page that tells how its exports stand; a POST asks for one."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}
    template = "projects/snapshot_exports.html"

    def read(self, request: HttpRequest, snapshot_id: uuid.UUID) -> dict[str, Any]:
        snapshot = queries.snapshot_named(snapshot_id)
        return {"snapshot": snapshot} | told_exports(snapshot)

    def act(self, request: HttpRequest, snapshot_id: uuid.UUID) -> HttpResponse:
        file_format = form_values(ExportInput, request.POST)["format"]
        exports.request_export(snapshot_id=snapshot_id, file_format=file_format, by=self.seat.principal)
        return redirect(self.address("snapshot", snapshot_id) + "#exports")


def told_exports(snapshot: Snapshot) -> dict[str, Any]:
    """Of each format the newest export there is, as `exports`; `exporting` while one of them is being made."""
    newest: dict[str, SnapshotExport] = {}
    for export in queries.exports(snapshot.id).order_by("-id")[:MOST_READ]:
        newest.setdefault(export.format, export)
    told = [_told(file_format, newest.get(file_format)) for file_format in FORMATS]
    return {"exports": told, "exporting": any(one["building"] for one in told)}


def _told(file_format: SnapshotExport.Format, export: SnapshotExport | None) -> dict[str, Any]:
    status, error = exports.standing(export) if export else ("", None)
    progress = export.job.progress if export and export.job else {}
    return {
        "format": file_format.value,
        "words": FORMATS[file_format],
        "export": export,
        "ready": status == SnapshotExport.Status.READY,
        "building": status == SnapshotExport.Status.BUILDING,
        "error": error,
        "percent": round(100 * progress.get("done", 0) / progress["total"]) if progress.get("total") else None,
    }
