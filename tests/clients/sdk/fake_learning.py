"""The later half of the fake service's API: annotations, snapshots, runs, models, predictions."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.clients.sdk.fake_things import MADE, FakeThings, Problem, Reply, missing, new_id

if TYPE_CHECKING:
    from tests.clients.sdk.fake_service import Received

AP50 = {"value": 0.61, "low": 0.42, "high": 0.78}
NOTHING = {"value": None, "low": None, "high": None}


class FakeLearning(FakeThings):
    """A run goes through `course`, one state a look; what jobs make is there when their job has succeeded."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.annotations: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.course: list[dict[str, Any]] = []
        self.findings: list[dict[str, Any]] = [
            {"class": "c1", "name": "dent", "score": 0.91, "bbox": [10.0, 20.0, 30.0, 15.5]},
            {"class": "c2", "name": "scratch", "score": 0.33, "bbox": [50, 5, 4, 40]},
        ]
        self.routes += [
            ("POST", r"/projects/([^/]+)/annotations", self._annotate),
            ("GET", r"/images/([^/]+)/annotations", self._list_annotations),
            ("GET", r"/annotations/([^/]+)", self._get_of(self.annotations)),
            ("GET", r"/projects/([^/]+)/statistics", self._statistics),
            ("POST", r"/projects/([^/]+)/snapshots", self._create_snapshot),
            ("GET", r"/projects/([^/]+)/snapshots", self._within(self.snapshots)),
            ("GET", r"/snapshots/([^/]+)", self._get_snapshot),
            ("GET", r"/snapshots/([^/]+)/(coco|manifest)", self._snapshot_file),
            ("POST", r"/projects/([^/]+)/runs", self._start_run),
            ("GET", r"/projects/([^/]+)/runs", self._within(self.runs)),
            ("GET", r"/runs/([^/]+)", self._look_at_run),
            ("POST", r"/runs/([^/]+)/cancel", self._cancel_run),
            ("GET", r"/projects/([^/]+)/models", self._within(self.models)),
            ("GET", r"/models/([^/]+)", self._get_of(self.models)),
            ("POST", r"/models/([^/]+)/export", self._export),
            ("GET", r"/models/([^/]+)/export/(onnx|manifest)", self._export_file),
            ("POST", r"/models/([^/]+)/promote", self._promote),
            ("POST", r"/(?:models|projects)/([^/]+)/predict", self._predict),
        ]

    def add_snapshot(self, project: str, **changes: Any) -> str:
        number = 1 + sum(item["project"] == project for item in self.snapshots.values())
        made = {"id": new_id(), "project": project, "number": number, "note": "", "status": "READY", "job": None}
        made |= {"manifest_sha256": "", "coco_sha256": "", "image_count": 2, "box_count": 3, "created_at": MADE}
        made |= {"classes": [{"id": "c1", "name": "dent", "images": 2, "boxes": 3}], "splits": {"TRAIN": 2}}
        self.snapshots[str(made["id"])] = made | {"error": None} | changes
        return str(made["id"])

    def add_run(self, project: str, **changes: Any) -> str:
        number = 1 + sum(item["project"] == project for item in self.runs.values())
        made = {"id": new_id(), "project": project, "number": number, "snapshot": "s1", "recipe": "fast"}
        made |= {"recipe_version": 1, "seed": 0, "job": "j1", "state": "PENDING", "progress": {}, "error": None}
        made |= {"model": None, "queue_place": 2, "eta_seconds": None, "curve": [], "warnings": [], "created_at": MADE}
        self.runs[str(made["id"])] = made | changes
        return str(made["id"])

    def add_model(self, project: str, **changes: Any) -> str:
        number = 1 + sum(item["project"] == project for item in self.models.values())
        classes = [{"id": "c1", "name": "dent"}, {"id": "c2", "name": "scratch"}]
        scored = [
            {**classes[0], "images": 12, "boxes": 1015, "ap50": AP50, "ap": {"value": 0.3, "low": 0.2, "high": 0.4}},
            {**classes[1], "images": 0, "boxes": 0, "ap50": NOTHING, "ap": None},
        ]
        metrics = {"ap50": AP50, "ap": {"value": 0.3, "low": 0.2, "high": 0.4}, "classes": scored}
        evaluation = {"snapshot": "s1", "method": "OUT_OF_FOLD", "folds": 3, "metrics": metrics}
        made = {"id": new_id(), "project": project, "number": number, "run": "r1", "snapshot": "s1", "recipe": "fast"}
        made |= {"classes": classes, "long_side": 640, "size": 480_000, "created_at": MADE, "exported": False}
        made |= {"evaluation": evaluation | {"image_count": 50, "box_count": 1015}, "lineage": {}, "export": None}
        self.models[str(made["id"])] = made | changes
        return str(made["id"])

    def _within(self, things: dict[str, dict[str, Any]]) -> Any:
        def listed(request: "Received", project: str) -> Reply:
            newest_first = [item for item in reversed(things.values()) if item["project"] == project]
            return self._page(request, newest_first)

        return listed

    # Annotations

    def _annotate(self, request: "Received", project: str) -> Reply:
        self._get_of(self.projects)(request, project)
        items = request.json["annotations"]
        assert 1 <= len(items) <= 1000
        return 200, {"results": [self._write(project, place, item) for place, item in enumerate(items)]}, {}

    def _write(self, project: str, place: int, item: dict[str, Any]) -> dict[str, Any]:
        assert set(item) <= {"image", "filename", "if_number"} | {self._said(project)}
        line: dict[str, Any] = {"index": place, "filename": item.get("filename") or "", "warnings": []}
        image = self.images.get(item.get("image", ""))
        if image is None or image["project"] != project:
            error = {"code": "unknown_image", "message": "There is no such image.", "hint": "Check the id."}
            return line | {"status": "REJECTED", "error": error}
        line |= {"image": image["id"], "filename": image["filename"]}
        by_id = {**self.classes, **{known["name"]: known for known in self.classes.values()}}
        if "class" in item:
            said = [] if item["class"] is None else [{"class": item["class"], "bbox": [0, 0, 64, 48]}]
        else:
            said = item["boxes"]
        boxes = [{"class": by_id[box["class"]]["id"], "bbox": box["bbox"]} for box in said]
        if any(box["bbox"][2] <= 0 for box in boxes):
            message = f"{image['filename']}: boxes[0] is inverted or empty."
            return line | {"status": "REJECTED", "error": {"code": "bad_box", "message": message, "hint": "Mend it."}}
        if any(box["bbox"][0] < 0 for box in boxes):
            message = f"{image['filename']}: 1 of its boxes stick out and were cut."
            line["warnings"] = [{"code": "box_clipped", "message": message, "boxes": [0]}]
        before = self.annotations.get(image["annotation"] or "")
        if before and before["boxes"] == boxes:
            return line | {"status": "UNCHANGED", "annotation": before["id"], "number": before["number"]}
        made = {"id": new_id(), "image": image["id"], "number": before["number"] + 1 if before else 1, "boxes": boxes}
        if "class" in item:
            made["class"] = boxes[0]["class"] if boxes else None
        self.annotations[made["id"]] = made | {"accepted": True, "author": {"id": "m1", "name": "Alice"}}
        image["annotation"] = made["id"]
        return line | {"status": "CREATED", "annotation": made["id"], "number": made["number"]}

    def _said(self, project: str) -> str:
        """What an item holds besides its image."""
        return "boxes" if self.projects[project]["kind"] == "DETECTION" else "class"

    def _list_annotations(self, request: "Received", image: str) -> Reply:
        return self._page(request, [item for item in reversed(self.annotations.values()) if item["image"] == image])

    def _statistics(self, _: "Received", project: str) -> Reply:
        counts = {"images": {"total": 3, "by_status": {"READY": 3}}, "labelled": 2, "unlabelled": 1}
        return 200, counts | {"classes": [{"id": "c1", "name": "dent", "images": 2, "boxes": 3}]}, {}

    # Snapshots

    def _create_snapshot(self, request: "Received", project: str) -> Reply:
        job = self.add_job(kind="snapshot")
        made = self.add_snapshot(project, note=request.json["note"], status="BUILDING", job=job, image_count=0)
        return 202, dict(self.snapshots[made]), {"Location": f"/api/v1/jobs/{job}"}

    def _get_snapshot(self, _: "Received", snapshot: str) -> Reply:
        if snapshot not in self.snapshots:
            raise missing()
        shown = self.snapshots[snapshot]
        if shown["status"] == "BUILDING" and self.jobs[shown["job"]]["state"] == "SUCCEEDED":
            shown |= {"status": "READY", "image_count": 2}
        return 200, shown, {}

    def _snapshot_file(self, _: "Received", snapshot: str, which: str) -> Reply:
        data = json.dumps({"images": [], "of": snapshot, "which": which}).encode()
        known = self.snapshots[snapshot]
        known[f"{which}_sha256"] = known[f"{which}_sha256"] or hashlib.sha256(data).hexdigest()
        return 302, None, {"Location": self.storage.address(which, data)}

    # Runs

    def _start_run(self, request: "Received", project: str) -> Reply:
        asked = request.json
        if asked["recipe"] != "fast":
            detail = f"There is no recipe {asked['recipe']!r}."
            raise Problem(400, "validation_failed", detail, "Choose one of: fast.")
        if not any(item["project"] == project for item in self.snapshots.values()):
            raise Problem(409, "no_snapshot", "The project has no snapshot that is READY.", "Create a snapshot.")
        run = self.add_run(project, seed=asked["seed"], snapshot=asked.get("snapshot", "newest"))
        return 202, dict(self.runs[run]), {"Location": "/api/v1/jobs/j1"}

    def _look_at_run(self, _: "Received", run: str) -> Reply:
        if run not in self.runs:
            raise missing()
        if self.course:
            self.runs[run] |= self.course.pop(0)
        return 200, self.runs[run], {}

    def _cancel_run(self, _: "Received", run: str) -> Reply:
        if run not in self.runs:
            raise missing()
        self.runs[run] |= {"state": "CANCELED", "queue_place": None}
        return 200, self.runs[run], {}

    # Models

    def _export(self, _: "Received", model: str) -> Reply:
        if self.models[model]["export"]:
            return 200, {"model": model, "job": None}, {}
        job = self.add_job(kind="export")
        hashes = {f"{part}_sha256": hashlib.sha256(part.encode()).hexdigest() for part in ("onnx", "manifest")}
        self.models[model] |= {"export": hashes | {"onnx_size": 4}, "exported": True}
        return 202, {"model": model, "job": job}, {"Location": f"/api/v1/jobs/{job}"}

    def _export_file(self, _: "Received", model: str, part: str) -> Reply:
        if not self.models[model]["export"]:
            raise Problem(409, "export_missing", "There is no exported file of this model yet.", "Ask for it.")
        return 302, None, {"Location": self.storage.address(part, part.encode())}

    def _promote(self, _: "Received", model: str) -> Reply:
        project = self.models[model]["project"]
        self.projects[project]["promoted"] = model
        return 201, {"id": new_id(), "project": project, "model": model, "created_at": MADE}, {}

    def _predict(self, request: "Received", thing: str) -> Reply:
        model = thing if thing in self.models else self.projects.get(thing, {}).get("promoted")
        if thing not in self.models and thing not in self.projects:
            raise missing()
        if model is None:
            raise Problem(409, "nothing_promoted", "No model of this project has been promoted.", "Promote one.")
        least = float(request.query.get("threshold", ["0.3"])[0])
        image = request.json["image"] if request.headers["Content-Type"] == "application/json" else None
        found = [finding for finding in self.findings if finding["score"] >= least]
        answer = {"model": model, "image": image, "width": 80, "height": 60, "predictions": found, "seconds": {}}
        return 200, answer, {}
