"""Zips of the fake service: exports of snapshots, and imports with their check, commit and results."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.clients.sdk.fake_learning import FakeLearning
from tests.clients.sdk.fake_things import MADE, Problem, Reply, missing, new_id

if TYPE_CHECKING:
    from tests.clients.sdk.fake_service import Received

UNKNOWN = {
    "kind": "unknown_class",
    "count": 4,
    "message": "Boxes of classes that the label book does not have.",
    "action": "Left out, or made.",
    "references": [{"file": f"labels/{number}.txt", "where": "line 1", "detail": "dent"} for number in range(4)],
}
REPORT = {"format": "YOLO", "images": 3, "new": 2, "existing": 1, "missing": 0, "labelled": 2, "good": 1, "boxes": 7}
REPORT |= {"unlabelled": 1, "splits": {"TRAIN": 2}, "problems": [UNKNOWN]}
REPORT |= {"classes": [{"name": "dent", "boxes": 4, "known": False}, {"name": "scratch", "boxes": 3, "known": True}]}


class FakeDatasets(FakeLearning):
    """A job is done when it was looked at often enough; `lines` are what a commit tells of the archive's images."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.exports: dict[str, dict[str, Any]] = {}
        self.imports: dict[str, dict[str, Any]] = {}
        # What the next check ends with, unless it is a report.
        self.refusal: dict[str, str] | None = None
        self.missing_images = 0
        self.lines: list[dict[str, Any]] = [
            {"file": "images/a.jpg", "outcome": "CREATED", "boxes": 4, "image": "i1", "warnings": []},
            {"file": "images/b.jpg", "outcome": "UNCHANGED", "boxes": 0, "image": "i2", "warnings": []},
        ]
        self.routes += [
            ("POST", r"/snapshots/([^/]+)/exports", self._ask_export),
            ("GET", r"/snapshots/([^/]+)/exports", self._list_exports),
            ("GET", r"/exports/([^/]+)", self._get_export),
            ("GET", r"/exports/([^/]+)/file", self._zip),
            ("POST", r"/projects/([^/]+)/imports", self._announce),
            ("GET", r"/projects/([^/]+)/imports", self._within(self.imports)),
            ("GET", r"/imports/([^/]+)", self._get_import),
            ("POST", r"/imports/([^/]+)/check", self._check),
            ("POST", r"/imports/([^/]+)/commit", self._commit),
            ("GET", r"/imports/([^/]+)/results", self._results),
            ("DELETE", r"/imports/([^/]+)", self._forget),
        ]

    # Exports

    def _ask_export(self, request: "Received", snapshot: str) -> Reply:
        for known in self.exports.values():
            if (known["snapshot"], known["format"]) == (snapshot, request.json["format"]):
                return 200, known, {}
        job = self.add_job(kind="snapshot_export")
        made = {"id": new_id(), "snapshot": snapshot, "format": request.json["format"], "status": "BUILDING"}
        made |= {"job": job, "size": 0, "sha256": "", "image_count": 0, "missing_count": 0, "error": None}
        self.exports[str(made["id"])] = made | {"created_at": MADE, "ready_at": None}
        return 202, dict(self.exports[str(made["id"])]), {"Location": f"/api/v1/jobs/{job}"}

    def _list_exports(self, request: "Received", snapshot: str) -> Reply:
        return self._page(request, [item for item in self.exports.values() if item["snapshot"] == snapshot])

    def _get_export(self, _: "Received", export: str) -> Reply:
        if export not in self.exports:
            raise missing()
        shown = self.exports[export]
        job = self.jobs[shown["job"]]
        if shown["status"] == "BUILDING" and job["state"] == "SUCCEEDED":
            data = self._archive(export)
            shown |= {"status": "READY", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            shown |= {"image_count": 2, "missing_count": self.missing_images, "ready_at": MADE}
        elif job["state"] == "FAILED":
            shown |= {"status": "FAILED", "error": job["error"]}
        return 200, shown, {}

    def _zip(self, _: "Received", export: str) -> Reply:
        return 302, None, {"Location": self.storage.address("export.zip", self._archive(export))}

    def _archive(self, export: str) -> bytes:
        return f"a zip of {export}".encode() * 1000

    # Imports

    def _announce(self, request: "Received", project: str) -> Reply:
        said = request.json
        made = {"id": new_id(), "project": project, "status": "AWAITING", "job": None, "format": "", **said}
        made |= {"report": None, "result": None, "error": None, "created_at": MADE}
        self.imports[made["id"]] = made
        upload = self.storage.form(f"import-{made['id']}", said["sha256"], "application/zip")
        return 201, made | {"upload": upload}, {}

    def _get_import(self, _: "Received", name: str) -> Reply:
        row = self._import(name)
        state = self.jobs[row["job"]]["state"] if row["job"] else ""
        if row["status"] == "CHECKING" and state == "SUCCEEDED":
            row |= {"status": "CHECKED", "format": "YOLO", "report": REPORT}
            if self.refusal:
                row |= {"status": "FAILED", "report": None, "error": self.refusal}
        elif row["status"] == "COMMITTING" and state == "SUCCEEDED":
            outcomes = [line["outcome"] for line in self.lines]
            images = {name: outcomes.count(name) for name in sorted(set(outcomes))}
            errors = sum("error" in line for line in self.lines)
            result = {"images": images, "labelled": 1, "boxes": 4, "errors": errors, "classes": ["dent"]}
            row |= {"status": "DONE", "result": result}
        return 200, row, {}

    def _check(self, _: "Received", name: str) -> Reply:
        row = self._import(name)
        if f"import-{name}" not in self.storage.objects:
            raise Problem(409, "archive_not_arrived", "The archive's bytes have not arrived.", "Send them.")
        row |= {"status": "CHECKING", "job": self.add_job(kind="import_check")}
        return 202, row, {}

    def _commit(self, request: "Received", name: str) -> Reply:
        row = self._import(name)
        row |= {"status": "COMMITTING", "job": self.add_job(kind="import_commit"), **request.json}
        return 202, row, {}

    def _results(self, _: "Received", name: str) -> Reply:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in self.lines)
        return 302, None, {"Location": self.storage.address("results", data)}

    def _forget(self, _: "Received", name: str) -> Reply:
        del self.imports[self._import(name)["id"]]
        return 204, None, {}

    def _import(self, name: str) -> dict[str, Any]:
        if name not in self.imports:
            raise missing()
        return self.imports[name]
