"""Importing an archive of images and boxes: sent and checked, looked at, then imported or discarded."""

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.api.import_serializers import CommitInput
from projects.domain import imports, queries
from projects.domain.archives.contents import MAX_ARCHIVE_BYTES, Kind
from projects.models import Image, Import
from tenants.models import Job
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.scope import tenant_scope
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage

A_PAGE = 20
# Badge and words of each standing.
STANDINGS = {
    Import.Status.AWAITING: ("badge-ghost", "not sent"),
    Import.Status.CHECKING: ("badge-info badge-soft", "being checked"),
    Import.Status.CHECKED: ("badge-warning badge-soft", "ready to import"),
    Import.Status.COMMITTING: ("badge-info badge-soft", "being imported"),
    Import.Status.DONE: ("badge-success badge-soft", "imported"),
    Import.Status.FAILED: ("badge-error badge-soft", "failed"),
}
# Kinds that cost nothing: told quietly, below what is left out.
HARMLESS = {
    *(Kind.BOX_OF_POLYGON, Kind.ZERO_BASED, Kind.DUPLICATE_IMAGE, Kind.SAME_NAME, Kind.EXISTING_IMAGE),
    *(Kind.FOUND_IN_PROJECT, Kind.NO_ANNOTATION, Kind.UNSUPPORTED_MEMBER, Kind.BOX_CLIPPED),
}
# What a job says of its progress, in words.
_PHASES = {
    "fetching": "Fetching the archive",
    "reading": "Reading the archive",
    "comparing": "Comparing it with the project",
    "importing": "Taking in images and boxes",
}
_OUTCOMES = (
    ("CREATED", "new images"),
    ("UPDATED", "labelled anew"),
    ("UNCHANGED", "as they were"),
    ("DUPLICATE", "the same as another"),
    ("REJECTED", "not taken"),
)


class ImportsPage(TenantPage):
    """Where an archive is sent, by the page's script straight to S3; and those that were."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "projects/imports.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = queries.project_named(project_id)
        page = page_of_rows(imports.imports(project_id), cursor=request.GET.get("cursor"), limit=A_PAGE)
        return {
            "project": project,
            "part": "imports",
            "takes_boxes": project.takes_boxes,
            "max_bytes": MAX_ARCHIVE_BYTES,
            "page": page,
            "lines": [_told(row) for row in page.rows],
        }


class ImportPage(TenantPage):
    """One import: how far it is, what its check found, what became of it.

    `do` says what a form asks for: check, commit, cancel or discard.
    """

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.UPLOAD}
    template = "projects/import.html"
    section = "projects"
    acts_scoped = False  # checking and discarding look at the archive in S3

    def read(self, request: HttpRequest, import_id: uuid.UUID) -> dict[str, Any]:
        row = imports.import_named(import_id)
        project = queries.project_named(row.project_id)
        told = _told(row)
        is_done = row.status == Import.Status.DONE
        return told | {
            "project": project,
            "part": "imports",
            "at_work": told["status"] in (Import.Status.CHECKING, Import.Status.COMMITTING),
            "work": _work(row.job),
            "report": _report(row.report) if row.report is not None and not is_done else None,
            "outcomes": _outcomes(row.result["images"]) if is_done and row.result else [],
            "result": row.result if is_done else None,
        }

    def act(self, request: HttpRequest, import_id: uuid.UUID) -> HttpResponse:
        do, by = request.POST.get("do", ""), self.seat.principal
        if do == "discard":
            with tenant_scope(self.tenant_id):
                row = imports.import_named(import_id)
            imports.delete_import(import_id=import_id, by=by)
            messages.success(request, f"{row.filename} is discarded. What the project has stays as it is.")
            return redirect(self.address("imports", row.project_id))
        if do == "check":
            imports.check_import(import_id=import_id, by=by)
        elif do == "cancel":
            with tenant_scope(self.tenant_id):
                imports.cancel_import(import_id=import_id, by=by)
        else:
            said = form_values(CommitInput, request.POST)
            with tenant_scope(self.tenant_id):
                imports.commit_import(import_id=import_id, by=by, **said)
        return redirect(self.address("import", import_id))


def _told(row: Import) -> dict[str, Any]:
    """The import as its job left it."""
    status, error = imports.standing(row)
    badge, words = STANDINGS[Import.Status(status)]
    return {"row": row, "status": status, "error": error, "badge": badge, "words": words}


def _work(job: Job | None) -> dict[str, Any]:
    """How far a job is: `done` of `total`, without the two while that cannot be told."""
    if job is None or job.state != Job.State.RUNNING:
        return {"words": "Waiting for a worker"}
    if job.cancel_requested_at is not None:
        return {"words": "Stopping"}
    progress = job.progress or {}
    words = _PHASES.get(progress.get("message", ""), "Starting")
    if progress.get("message") == "fetching" or not progress.get("total"):
        return {"words": words}
    return {"words": words, "done": int(progress["done"]), "total": int(progress["total"])}


def _harmless(problem: dict[str, Any]) -> bool:
    return bool(problem["harmless"])


def _report(report: dict[str, Any]) -> dict[str, Any]:
    """The check's report as the page tells it: what costs something first."""
    problems: list[dict[str, Any]] = [
        problem | {"harmless": problem["kind"] in HARMLESS} for problem in report["problems"]
    ]
    splits = {**dict(Image.Split.choices), "UNASSIGNED": "by their group"}
    return report | {
        "problems": sorted(problems, key=_harmless),
        "unknown": [label for label in report["classes"] if not label["known"]],
        "most": max((label["boxes"] for label in report["classes"]), default=0) or 1,
        "splits": [(splits.get(name, name), count) for name, count in report["splits"].items()],
    }


def _outcomes(counts: dict[str, int]) -> list[tuple[str, int, str]]:
    return [(name, counts[name], words) for name, words in _OUTCOMES if counts.get(name)]
