"""The API half of the fake service: uploads, and the jobs that ingest them."""

from typing import TYPE_CHECKING, Any

from tests.clients.sdk.fake_datasets import FakeDatasets
from tests.clients.sdk.fake_things import MADE, Reply, missing

if TYPE_CHECKING:
    from tests.clients.sdk.fake_service import Received

TYPES = ("image/jpeg", "image/png", "image/bmp", "image/tiff", "image/webp")
# Larger files go in parts.
FORM_BYTES = 16 * 1024 * 1024


class FakeTenant(FakeDatasets):
    """Images become READY, or FAILED if their bytes say `corrupt`, when their job was looked at enough."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.looks_a_job = 2
        self.images_limit = 10_000
        self.routes += [
            ("POST", r"/projects/([^/]+)/uploads", self._uploads),
            ("POST", r"/projects/([^/]+)/uploads/complete", self._complete),
            ("GET", r"/jobs/([^/]+)", self._look_at_job),
        ]

    def _uploads(self, request: "Received", project: str) -> Reply:
        self._get_of(self.projects)(request, project)
        files = request.json["files"]
        assert 1 <= len(files) <= 100
        return (
            200,
            {"results": [self._register(project, place, file) for place, file in enumerate(files)]},
            {},
        )

    def _register(self, project: str, place: int, file: dict[str, Any]) -> dict[str, Any]:
        line = {"index": place, "filename": file["filename"]}
        known = [image for image in self.images.values() if image["sha256"] == file["sha256"]]
        if not known:
            refused = self._refusal(file)
            if refused:
                return line | {"status": "REJECTED", "error": refused}
            image = self.add_image(project, file["filename"], status="AWAITING")
            asked = {
                name: file[name] for name in ("sha256", "size", "content_type", "metadata", "group") if name in file
            }
            self.images[image] |= asked | ({"split": file["split"], "split_pinned": True} if "split" in file else {})
            known = [self.images[image]]
        image = known[0]["id"]
        line |= {"image": image, "status": known[0]["status"], "duplicate": known[0]["status"] != "AWAITING"}
        if known[0]["status"] == "AWAITING":
            large = file["size"] > FORM_BYTES
            form = self.storage.form(image, file["sha256"], file["content_type"])
            line["upload"] = self.storage.multipart(image, file["size"]) if large else form
        return line

    def _refusal(self, file: dict[str, Any]) -> dict[str, str] | None:
        name = file["filename"]
        if file["size"] == 0:
            return {"code": "empty_file", "message": f"{name} is empty.", "hint": "Copy the file again."}
        if file["content_type"] not in TYPES:
            return {"code": "unsupported_type", "message": f"{name} is no image.", "hint": "Send JPEG."}
        if len(self.images) >= self.images_limit:
            return {
                "code": "quota_exceeded",
                "message": f"{name}: the quota is reached.",
                "hint": "Delete some.",
            }
        return None

    def _complete(self, request: "Received", project: str) -> Reply:
        arrived, results = [], []
        for name in request.json["images"]:
            image = self.images.get(name)
            if image is None or image["project"] != project:
                results.append({"image": name, "status": "NOT_FOUND", "error": None})
                continue
            if image["status"] == "AWAITING" and self.storage.arrived(name, image["size"]):
                image["status"] = "ARRIVED"
                arrived.append(name)
            status = "MISSING" if image["status"] == "AWAITING" else image["status"]
            results.append({"image": name, "status": status, "error": image["error"]})
        jobs = []
        if arrived:
            jobs.append(self.add_job(progress={"done": 0, "total": len(arrived), "message": ""}))
            for name in arrived:
                self.images[name]["job"] = jobs[0]
        return (202 if jobs else 200), {"results": results, "jobs": jobs}, {}

    def _look_at_job(self, _: "Received", job_id: str) -> Reply:
        if job_id not in self.jobs:
            raise missing()
        job = self.jobs[job_id]
        job["looks"] += 1
        if job["state"] == "PENDING" and job["looks"] >= self.looks_a_job:
            self.finish(job_id)
        return 200, {name: value for name, value in job.items() if name != "looks"}, {}

    def finish(self, job_id: str) -> None:
        """End a job, and with it the ingest of its images."""
        job = self.jobs[job_id]
        job |= {"state": "SUCCEEDED", "queue_place": None, "eta_seconds": None, "finished_at": MADE}
        job["progress"] = {**job["progress"], "done": job["progress"]["total"]}
        for image in self.images.values():
            if image["job"] == job_id and image["status"] == "ARRIVED":
                corrupt = self.storage.objects[image["id"]].startswith(b"corrupt")
                error = {
                    "code": "truncated",
                    "message": "The image ends too early.",
                    "hint": "Copy it again.",
                }
                image.update({"status": "FAILED", "error": error} if corrupt else {"status": "READY"})
