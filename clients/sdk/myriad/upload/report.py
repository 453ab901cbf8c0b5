"""What came of an upload, file by file, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What became of one file."""

    UPLOADED = "UPLOADED"
    DUPLICATE = "DUPLICATE"  # the project already had these bytes, or another file of this upload has them
    REJECTED = "REJECTED"  # the server does not take the file as it is
    FAILED = "FAILED"  # the file did not get there; sending it again may help


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """One file: `name` is its path within the folder, `image` the id of the image that it became or was.

    `ready` says that the image is ingested already, so that there is nothing to wait for. `code`, `message`
    and `hint` say why a file was rejected or failed.
    """

    name: str
    size: int  # bytes
    outcome: Outcome
    image: str | None = None
    ready: bool = False
    code: str = ""
    message: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "hint": self.hint} if self.code else None
        return {
            "name": self.name,
            "size": self.size,
            "outcome": self.outcome.value,
            "image": self.image,
            "error": error,
        }


@dataclass(frozen=True, kw_only=True)
class UploadReport:
    """Every file is in one of the first four. `skipped` names what in the folder was not sent, and why.

    `jobs` are the ids of the jobs that ingest what was uploaded; `seconds` is how long the upload took.
    """

    project: str
    uploaded: tuple[FileResult, ...] = ()
    duplicates: tuple[FileResult, ...] = ()
    rejected: tuple[FileResult, ...] = ()
    failed: tuple[FileResult, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def files(self) -> tuple[FileResult, ...]:
        return self.uploaded + self.duplicates + self.rejected + self.failed

    def to_json(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "counts": {
                "uploaded": len(self.uploaded),
                "duplicates": len(self.duplicates),
                "rejected": len(self.rejected),
                "failed": len(self.failed),
                "skipped": len(self.skipped),
            },
            "files": [result.to_json() for result in self.files],
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped.items()],
            "jobs": list(self.jobs),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, kw_only=True)
class UploadProgress:
    """How far an upload is. Files and bytes count when they are sent, or when it is known that they will not be."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    problems: int  # files rejected or failed so far


OnUpload = Callable[[UploadProgress], object]


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """What ingest made of one image: `status` is READY, FAILED, or ARRIVED where it has not been ingested yet."""

    name: str
    image: str
    status: str
    code: str = ""
    message: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "hint": self.hint} if self.code else None
        return {"name": self.name, "image": self.image, "status": self.status, "error": error}


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """Every image of an upload in one of the three; `pending` is what was not ingested when the wait ended."""

    ready: tuple[ImageResult, ...] = ()
    failed: tuple[ImageResult, ...] = ()
    pending: tuple[ImageResult, ...] = ()

    def to_json(self) -> dict[str, Any]:
        results = self.ready + self.failed + self.pending
        return {
            "counts": {"ready": len(self.ready), "failed": len(self.failed), "pending": len(self.pending)},
            "images": [result.to_json() for result in results],
        }


@dataclass(frozen=True, kw_only=True)
class IngestProgress:
    """How far the ingest is, in images."""

    done: int
    total: int
    queue_place: int | None = None
    eta_seconds: float | None = None


OnIngest = Callable[[IngestProgress], object]
