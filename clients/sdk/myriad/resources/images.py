"""Images: lists, single ones, and sending folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from myriad.answers import Answer
from myriad.downloads import read_file
from myriad.errors import ValidationFailed
from myriad.listing import Listing
from myriad.resources.jobs import Jobs, Problem
from myriad.transport import Pause, Transport, path_of
from myriad.upload.engine import Wish, upload
from myriad.upload.ingest import Ingest
from myriad.upload.report import IngestReport, OnIngest, OnUpload, UploadReport
from myriad.upload.sidecars import SPLITS, Scalar, Sidecar


@dataclass(frozen=True, kw_only=True)
class Image(Answer):
    """`status` is AWAITING, ARRIVED, READY or FAILED; `size` is in bytes, `width` and `height` in pixels.

    `sha256` is of the bytes that were sent, `stored_sha256` of what is kept after cleaning. `annotation` is the id of
    the accepted one, None where the image is not labelled.
    """

    id: str
    filename: str
    status: str
    project: str = ""
    sha256: str = ""
    stored_sha256: str | None = None
    content_type: str = ""
    size: int | None = None
    width: int | None = None
    height: int | None = None
    near_hash: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    split_pinned: bool = False
    group: str | None = None
    classes: tuple[str, ...] = ()
    annotation: str | None = None
    error: Problem | None = None
    job: str | None = None
    created_at: datetime | None = None


class Images:
    def __init__(self, transport: Transport, jobs: Jobs, pause: Pause) -> None:
        self._transport = transport
        self._jobs = jobs
        self._pause = pause

    def list(
        self,
        project_id: str,
        *,
        status: str | None = None,
        split: str | None = None,
        class_id: str | None = None,
        filename: str | None = None,
        job_id: str | None = None,
        labelled: bool | None = None,
        metadata: Mapping[str, Scalar] | None = None,
        page_size: int = 100,
    ) -> Listing[Image]:
        """Give the images that meet all of the filters."""
        params: dict[str, str | int | Sequence[str]] = {"limit": page_size}
        given = {
            "status": status and status.upper(),
            "split": split and split.upper(),
            "class": class_id,
            "filename": filename,
            "job": job_id,
            "labelled": None if labelled is None else str(labelled).lower(),
        }
        params.update({name: value for name, value in given.items() if value})
        params.update({f"meta.{key}": str(value) for key, value in (metadata or {}).items()})
        return Listing(self._transport, path_of("projects", project_id, "images"), Image, params)

    def get(self, image_id: str) -> Image:
        reply = self._transport.get(path_of("images", image_id))
        return Image.from_json(reply.document, reply.request_id)

    def update(self, image_id: str, **changes: Any) -> Image:
        """Change the fields given by name (`metadata`, `split`, `classes`), leave the rest."""
        reply = self._transport.patch(path_of("images", image_id), changes)
        return Image.from_json(reply.document, reply.request_id)

    def delete(self, image_id: str) -> None:
        self._transport.delete(path_of("images", image_id))

    def register(self, project_id: str, files: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
        """Make rows for up to 5,000 images whose bytes come later.

        Each file has `filename`, `size` (bytes), `sha256` (hex), `content_type` and may have `metadata`,
        `split`, `group`, `classes`. Gives the server's result for each, in the same order.
        """
        reply = self._transport.post(path_of("projects", project_id, "images", "register"), {"files": list(files)})
        return tuple(reply.document["results"])

    def file_url(self, image_id: str, *, thumbnail: bool = False) -> str:
        """Give an address from which anyone can fetch the image's bytes (or its thumbnail's) for a few minutes."""
        path = path_of("images", image_id, "thumbnail" if thumbnail else "file")
        return self._transport.request("GET", path, redirect=True).location

    def read(self, image_id: str) -> bytes:
        """Fetch the image's bytes as they are stored: cleaned, upright, without what a camera wrote into them."""
        return read_file(self._transport, path_of("images", image_id, "file"))

    def upload(
        self,
        project_id: str,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        metadata: Mapping[str, Scalar] | None = None,
        split: str | None = None,
        sidecar: Sidecar | None = None,
        on_progress: OnUpload | None = None,
        parallel: int = 8,
    ) -> UploadReport:
        """Send photographs, named one by one or as folders, and tell file by file what came of it.

        `metadata` and `split` (TRAIN, VALIDATION or TEST) are said of every file; what `sidecar` knows of a
        file goes before. `parallel` files, or parts of large ones, are sent at a time. `on_progress` is
        called in the caller's thread. What the project has already is not sent again, so that an upload that
        was interrupted goes on where it was when it is called once more.

        A file that does not get there is in the report. Raises `MyriadError` when what went wrong concerns
        all of them: the key, the project, a service that stays away; its `report` then tells what had been
        done. The images still have to be ingested: see `wait`.
        """
        if split is not None and split.upper() not in SPLITS:
            raise ValidationFailed(f"{split!r} is no split.", code="bad_split", hint="Use train, validation or test.")
        return upload(
            transport=self._transport,
            project=project_id,
            paths=[paths] if isinstance(paths, (str, os.PathLike)) else paths,
            wish=Wish(metadata=metadata or {}, split=split, sidecar=sidecar),
            parallel=parallel,
            on_progress=on_progress,
        )

    def wait(
        self, report: UploadReport, *, timeout: float | None = None, on_progress: OnIngest | None = None
    ) -> IngestReport:
        """Wait until what was uploaded is ingested, and tell image by image what came of it.

        After `timeout` seconds what is still under way is `pending`. `on_progress` is called in the caller's
        thread.
        """
        ingest = Ingest(self._transport, self._jobs, self._pause, report)
        return ingest.wait(timeout=timeout, on_progress=on_progress)
