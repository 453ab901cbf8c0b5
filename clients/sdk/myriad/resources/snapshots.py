"""Snapshots: a project's labelled data, frozen under a hash."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from myriad.answers import Answer
from myriad.downloads import save_file
from myriad.listing import Listing
from myriad.resources.jobs import Job, Jobs, Problem
from myriad.resources.numbered import find_numbered
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class CountedClass(Answer):
    """A class with how many images show it and how many boxes it has."""

    id: str
    name: str
    images: int = 0
    boxes: int = 0


@dataclass(frozen=True, kw_only=True)
class Snapshot(Answer):
    """`status` is BUILDING, READY or FAILED; the counts hold from READY on. `splits` counts images by split."""

    id: str
    number: int
    status: str
    project: str = ""
    note: str = ""
    manifest_sha256: str = ""
    coco_sha256: str = ""
    image_count: int = 0
    box_count: int = 0
    classes: tuple[CountedClass, ...] = ()
    splits: Mapping[str, Any] = field(default_factory=dict)
    error: Problem | None = None
    job: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NamedClass(Answer):
    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class RenamedClass(Answer):
    """A class whose name was `before` and is `after`."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class ImageDifference(Answer):
    """One image that was ADDED, REMOVED or CHANGED (`change`), with how many of its boxes were.

    `fields_changed` has, by name, what else of it was changed: a pair of before and after.
    """

    filename: str
    change: str
    image: str = ""
    boxes_added: int = 0
    boxes_removed: int = 0
    boxes_changed: int = 0
    fields_changed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Difference(Answer):
    """What changed from one snapshot to a later one: counts of images and boxes, classes, and images one by one.

    `truncated` says that more images changed than are listed.
    """

    images: Mapping[str, Any] = field(default_factory=dict)
    boxes: Mapping[str, Any] = field(default_factory=dict)
    splits_changed: int = 0
    classes_added: tuple[NamedClass, ...] = ()
    classes_removed: tuple[NamedClass, ...] = ()
    classes_renamed: tuple[RenamedClass, ...] = ()
    listed: tuple[ImageDifference, ...] = ()
    truncated: bool = False


OnJob = Callable[[Job], object]


class Snapshots:
    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def create(self, project_id: str, *, note: str = "") -> Snapshot:
        """Ask for a snapshot of what is labelled now; it is BUILDING until its job has ended: see `wait`."""
        reply = self._transport.post(path_of("projects", project_id, "snapshots"), {"note": note})
        return Snapshot.from_json(reply.document, reply.request_id)

    def wait(self, snapshot: Snapshot, *, timeout: float | None = None, on_progress: OnJob | None = None) -> Snapshot:
        """Wait until the snapshot is READY or FAILED, and give it as it is then. Raises `NotDone` after `timeout`."""
        if snapshot.status == "BUILDING" and snapshot.job is not None:
            job = snapshot.job

            def tell(jobs: Mapping[str, Job]) -> None:
                if on_progress is not None:
                    on_progress(jobs[job])

            self._jobs.wait([job], timeout=timeout, on_progress=tell)
        return self.get(snapshot.id)

    def list(self, project_id: str, *, page_size: int = 100) -> Listing[Snapshot]:
        """Give the project's snapshots, newest first."""
        return Listing(self._transport, path_of("projects", project_id, "snapshots"), Snapshot, {"limit": page_size})

    def get(self, snapshot_id: str) -> Snapshot:
        reply = self._transport.get(path_of("snapshots", snapshot_id))
        return Snapshot.from_json(reply.document, reply.request_id)

    def find(self, id_or_number: str, *, project_id: str | None = None) -> Snapshot:
        """Give the snapshot with this id or, in the project, this number."""
        listed = (lambda: self.list(project_id, page_size=500)) if project_id else None
        return find_numbered(id_or_number, what="snapshot", get=self.get, listed=listed)

    def diff(self, snapshot_id: str, *, against: str) -> Difference:
        """Tell what changed from the snapshot `against` to this one."""
        reply = self._transport.get(path_of("snapshots", snapshot_id, "diff"), {"against": against})
        return Difference.from_json(reply.document, reply.request_id)

    def coco_url(self, snapshot_id: str) -> str:
        """Give an address from which anyone can fetch the snapshot as a COCO file for a few minutes."""
        return self._transport.request("GET", path_of("snapshots", snapshot_id, "coco"), redirect=True).location

    def manifest_url(self, snapshot_id: str) -> str:
        """Give such an address of the manifest."""
        return self._transport.request("GET", path_of("snapshots", snapshot_id, "manifest"), redirect=True).location

    def export_coco(self, snapshot: Snapshot, target: str | os.PathLike[str]) -> Path:
        """Save the snapshot as a COCO file and check its hash."""
        path = path_of("snapshots", snapshot.id, "coco")
        return save_file(self._transport, path, target, sha256=snapshot.coco_sha256)

    def export_manifest(self, snapshot: Snapshot, target: str | os.PathLike[str]) -> Path:
        """Save the manifest, whose hash names the snapshot's data, and check it."""
        path = path_of("snapshots", snapshot.id, "manifest")
        return save_file(self._transport, path, target, sha256=snapshot.manifest_sha256)
