"""Following what the server does with uploaded images, to the end of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from myriad.answers import Answer
from myriad.errors import NotDone, NotFound
from myriad.listing import Listing
from myriad.resources.jobs import Job, Jobs, Problem
from myriad.transport import Pause, Transport, path_of
from myriad.upload.report import FileResult, ImageResult, IngestProgress, IngestReport, OnIngest, UploadReport

_ROUND_SECONDS = 1.0
# How long an image may be without a job to wait for until it is left as pending.
_ORPHAN_SECONDS = 60.0


_AGAIN = "Upload the file again; if it fails again, ask support."
_UNEXPLAINED = Problem(code="not_ingested", message="The image was not ingested.", hint=_AGAIN)


@dataclass(frozen=True, kw_only=True)
class Ingested(Answer):
    """As much of an image as matters here."""

    id: str
    status: str
    job: str | None = None
    error: Problem | None = None


class Ingest:
    """Waits for the images of one upload."""

    def __init__(self, transport: Transport, jobs: Jobs, pause: Pause, upload: UploadReport) -> None:
        self._transport = transport
        self._jobs = jobs
        self._pause = pause
        self._upload = upload
        # Two files with the same bytes are one image; each file gets the result.
        self._files = [file for file in upload.uploaded + upload.duplicates if file.image]
        # What became of each image: None for READY, the problem for FAILED.
        self._fates: dict[str, Problem | None] = {str(file.image): None for file in self._files if file.ready}
        self._ended: dict[str, Job] = {}

    def wait(self, *, timeout: float | None, on_progress: OnIngest | None) -> IngestReport:
        """Give what became of every image; those still under way after `timeout` seconds are `pending`."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        self._follow(deadline, on_progress)
        results = [self._result(file) for file in self._files]
        report = IngestReport(
            ready=tuple(result for result in results if result.status == "READY"),
            failed=tuple(result for result in results if result.status == "FAILED"),
            pending=tuple(result for result in results if result.status == "ARRIVED"),
        )
        if on_progress is not None:
            done = len(report.ready) + len(report.failed)
            on_progress(IngestProgress(done=done, total=len(self._files)))
        return report

    def _follow(self, deadline: float, on_progress: OnIngest | None) -> None:
        jobs: Sequence[str] = self._upload.jobs
        orphaned = time.monotonic()
        while True:
            if jobs:
                ended = self._wait_for(jobs, deadline, on_progress)
                self._read_results(jobs)
                if not ended:
                    return
                orphaned = time.monotonic()
            # What is left was brought by another upload, perhaps an interrupted one, and has another job.
            jobs = self._next_job()
            if not self._unknown():
                return
            if not jobs:
                if time.monotonic() + _ROUND_SECONDS > min(deadline, orphaned + _ORPHAN_SECONDS):
                    return
                self._pause(_ROUND_SECONDS)

    def _wait_for(self, jobs: Sequence[str], deadline: float, on_progress: OnIngest | None) -> bool:
        known = len(self._fates)

        def on_jobs(seen: Mapping[str, Job]) -> None:
            if on_progress is not None:
                on_progress(self._progress(seen, known))

        timeout = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        try:
            ended = self._jobs.wait(jobs, timeout=timeout, on_progress=on_jobs)
        except NotDone:
            return False
        self._ended.update({job.id: job for job in ended})
        return True

    def _progress(self, seen: Mapping[str, Job], known: int) -> IngestProgress:
        waiting = next((job for job in seen.values() if not job.is_final), None)
        done = known + sum(int(job.progress.done) for job in seen.values())
        return IngestProgress(
            done=min(done, len(self._files)),
            total=len(self._files),
            queue_place=waiting.queue_place if waiting else None,
            eta_seconds=waiting.eta_seconds if waiting else None,
        )

    def _unknown(self) -> list[str]:
        """Give the images whose fate is not known, each once, in the order of the upload."""
        return [image for image in dict.fromkeys(str(file.image) for file in self._files) if image not in self._fates]

    def _read_results(self, jobs: Iterable[str]) -> None:
        """Read what the jobs made of our images so far."""
        path = path_of("projects", self._upload.project, "images")
        ours = set(self._unknown())
        for job in jobs:
            for image in Listing(self._transport, path, Ingested, {"job": job, "limit": 500}):
                if image.id in ours:
                    self._learn(image)

    def _next_job(self) -> list[str]:
        """Look at the images not known yet, one by one, until one has a job that is still to be waited for."""
        for image_id in self._unknown():
            try:
                reply = self._transport.get(path_of("images", image_id))
            except NotFound:
                self._fates[image_id] = Problem(code="not_found", message="The image was deleted.", hint=_AGAIN)
                continue
            image = Ingested.from_json(reply.document, reply.request_id)
            self._learn(image)
            if image_id in self._fates or image.job is None:
                continue
            if image.job not in self._ended:
                return [image.job]
            # Its job has ended without saying what became of it.
            self._fates[image_id] = self._ended[image.job].error or _UNEXPLAINED
        return []

    def _learn(self, image: Ingested) -> None:
        if image.status == "READY":
            self._fates[image.id] = None
        elif image.status == "FAILED":
            self._fates[image.id] = image.error or _UNEXPLAINED

    def _result(self, file: FileResult) -> ImageResult:
        image = str(file.image)
        if image not in self._fates:
            return ImageResult(name=file.name, image=image, status="ARRIVED")
        problem = self._fates[image]
        if problem is None:
            return ImageResult(name=file.name, image=image, status="READY")
        return ImageResult(
            name=file.name,
            image=image,
            status="FAILED",
            code=problem.code,
            message=problem.message,
            hint=problem.hint,
        )
