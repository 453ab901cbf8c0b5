"""Exports: a snapshot's images and boxes as a zip that other tools read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from myriad.answers import Answer
from myriad.downloads import OnBytes, save_file
from myriad.errors import NotDone
from myriad.listing import Listing
from myriad.resources.jobs import Job, Jobs, Problem
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Export(Answer):
    """`format` is COCO, VOC or YOLO; `status` is BUILDING, READY, FAILED or EXPIRED.

    `missing_count` is of images that were deleted since the snapshot was made; they are not in the zip.
    """

    id: str
    format: str
    status: str
    snapshot: str = ""
    size: int = 0
    sha256: str = ""
    image_count: int = 0
    missing_count: int = 0
    error: Problem | None = None
    job: str | None = None
    created_at: datetime | None = None
    ready_at: datetime | None = None


class Exports:
    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def create(self, snapshot_id: str, *, format: str) -> Export:  # noqa: A002 - what the API calls it
        """Ask for a zip in this format (`coco`, `voc` or `yolo`); one that is there already is given back."""
        reply = self._transport.post(path_of("snapshots", snapshot_id, "exports"), {"format": format.upper()})
        return Export.from_json(reply.document, reply.request_id)

    def wait(
        self,
        export: Export,
        *,
        timeout: float | None = None,
        on_progress: Callable[[Job], object] | None = None,
    ) -> Export:
        """Wait until the export is READY or FAILED, and give it as it is then. Raises `NotDone` after `timeout`."""
        if export.status == "BUILDING" and export.job is not None:
            job = export.job

            def tell(jobs: Mapping[str, Job]) -> None:
                if on_progress is not None:
                    on_progress(jobs[job])

            self._jobs.wait([job], timeout=timeout, on_progress=tell)
            return self.get(export.id)
        return export

    def list(self, snapshot_id: str, *, page_size: int = 100) -> Listing[Export]:
        """Give the snapshot's exports, newest first."""
        return Listing(self._transport, path_of("snapshots", snapshot_id, "exports"), Export, {"limit": page_size})

    def get(self, export_id: str) -> Export:
        reply = self._transport.get(path_of("exports", export_id))
        return Export.from_json(reply.document, reply.request_id)

    def url(self, export_id: str) -> str:
        """Give an address from which anyone can fetch the zip for a few minutes."""
        return self._transport.request("GET", path_of("exports", export_id, "file"), redirect=True).location

    def save(self, export: Export, target: str | os.PathLike[str], *, on_bytes: OnBytes | None = None) -> Path:
        """Save the zip of a READY export and check its hash. `on_bytes` is told how many have come."""
        if export.status != "READY":
            raise _not_ready(export)
        path = path_of("exports", export.id, "file")
        return save_file(self._transport, path, target, sha256=export.sha256, on_bytes=on_bytes)


def _not_ready(export: Export) -> NotDone:
    if export.error is not None:
        return NotDone(export.error.message, code=export.error.code, hint=export.error.hint)
    return NotDone(f"The export is {export.status}.", hint="Wait for it, or ask for another one.")
