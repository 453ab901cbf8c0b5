"""Imports: a zip of images and boxes, checked before anything of it is written, then committed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from myriad.answers import Answer
from myriad.downloads import OnBytes, read_file
from myriad.errors import Unavailable, UnexpectedAnswer, ValidationFailed
from myriad.listing import Listing
from myriad.resources.jobs import Job, Jobs, Problem
from myriad.transport import Transport, path_of
from myriad.upload.files import LocalFile
from myriad.upload.stopping import Stop
from myriad.upload.storage import FileChanged, FormExpired, Storage, StorageAway, StorageRefused

# Forms that are asked for before we believe that no form will be taken.
_FORMS = 3
# Imports looked through for one of the same archive that was broken off.
_LOOKED_AT = 100
_RESUMED = frozenset({"CHECKING", "CHECKED", "COMMITTING"})


@dataclass(frozen=True, kw_only=True)
class Place(Answer):
    """Where in the archive something is: a file, and a line, number or id in it."""

    file: str
    where: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding(Answer):
    """One kind of problem, how often it was found, and what the commit will do about it."""

    kind: str
    count: int
    message: str = ""
    action: str = ""
    references: tuple[Place, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NamedInArchive(Answer):
    """A class of the archive, how many boxes it has, and whether the label book knows it."""

    name: str
    boxes: int = 0
    known: bool = True


@dataclass(frozen=True, kw_only=True)
class CheckReport(Answer):
    """What the check found, and what a commit would do."""

    format: str
    images: int = 0
    new: int = 0
    existing: int = 0
    missing: int = 0
    labelled: int = 0
    good: int = 0
    unlabelled: int = 0
    boxes: int = 0
    classes: tuple[NamedInArchive, ...] = ()
    splits: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CommitResult(Answer):
    """What the commit did. `images` counts CREATED, UPDATED, UNCHANGED, DUPLICATE and REJECTED ones."""

    images: Mapping[str, Any] = field(default_factory=dict)
    labelled: int = 0
    boxes: int = 0
    errors: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Import(Answer):
    """`status` is AWAITING, CHECKING, CHECKED, COMMITTING, DONE or FAILED; lists leave the report out."""

    id: str
    status: str
    project: str = ""
    filename: str = ""
    format: str = ""
    size: int = 0
    sha256: str = ""
    report: CheckReport | None = None
    result: CommitResult | None = None
    error: Problem | None = None
    job: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ImportedFile(Answer):
    """What became of one image of the archive: its `outcome`, and an `error` or warnings."""

    file: str
    outcome: str
    image: str | None = None
    boxes: int = 0
    error: Problem | None = None
    warnings: tuple[Problem, ...] = ()


class Imports:
    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def create(self, project_id: str, archive: str | os.PathLike[str], *, on_bytes: OnBytes | None = None) -> Import:
        """Send a zip, to be checked next: see `check`. `on_bytes` is told how many have gone.

        One of the same bytes that was sent already, and neither done nor given up, is gone on with.
        """
        file = _local(Path(archive))
        sha256 = _hash(file)
        for known in islice(self.list(project_id), _LOOKED_AT):
            if (known.sha256, known.size) == (sha256, file.size) and known.status in _RESUMED:
                return known
        said = {"filename": file.name, "size": file.size, "sha256": sha256}
        stop = Stop()
        storage = Storage(retry=self._transport.retry, timeout=self._transport.timeout, stop=stop, on_bytes=on_bytes)
        try:
            for _ in range(_FORMS):
                reply = self._transport.post(path_of("projects", project_id, "imports"), said)
                if _send(storage, reply.document, file):
                    return Import.from_json(reply.document, reply.request_id)
        finally:
            storage.close()
        raise Unavailable(
            "The storage takes none of the forms that the service signs.",
            code="storage_refused",
            hint="Check this computer's clock; if it is right, ask support.",
        )

    def check(self, import_id: str) -> Import:
        """Ask what the archive holds; nothing but a report is written. See `wait`."""
        reply = self._transport.post(path_of("imports", import_id, "check"))
        return Import.from_json(reply.document, reply.request_id)

    def commit(self, import_id: str, *, create_classes: bool = False) -> Import:
        """Ask for a checked archive's images and boxes to be taken in. See `wait`.

        Boxes of classes that the label book lacks are left out, unless `create_classes`.
        """
        body = {"unknown_classes": "CREATE" if create_classes else "SKIP"}
        reply = self._transport.post(path_of("imports", import_id, "commit"), body)
        return Import.from_json(reply.document, reply.request_id)

    def wait(
        self,
        imported: Import,
        *,
        timeout: float | None = None,
        on_progress: Callable[[Job], object] | None = None,
    ) -> Import:
        """Wait for the check or commit that is under way, and give the import as it is then.

        Raises `NotDone` after `timeout` seconds; the work goes on.
        """
        if imported.status in ("CHECKING", "COMMITTING") and imported.job is not None:
            job = imported.job

            def tell(jobs: Mapping[str, Job]) -> None:
                if on_progress is not None:
                    on_progress(jobs[job])

            self._jobs.wait([job], timeout=timeout, on_progress=tell)
        return self.get(imported.id)

    def list(self, project_id: str, *, page_size: int = 100) -> Listing[Import]:
        """Give the project's imports, newest first."""
        return Listing(self._transport, path_of("projects", project_id, "imports"), Import, {"limit": page_size})

    def get(self, import_id: str) -> Import:
        reply = self._transport.get(path_of("imports", import_id))
        return Import.from_json(reply.document, reply.request_id)

    def results(self, import_id: str) -> tuple[ImportedFile, ...]:
        """Tell file by file what a commit that is DONE did."""
        data = read_file(self._transport, path_of("imports", import_id, "results"))
        try:
            return tuple(ImportedFile.from_json(json.loads(line)) for line in data.splitlines() if line.strip())
        except ValueError:
            raise UnexpectedAnswer("The results are no lines of JSON.") from None

    def delete(self, import_id: str) -> None:
        """Forget an import and its archive; what it brought into the project stays."""
        self._transport.delete(path_of("imports", import_id))


def _local(path: Path) -> LocalFile:
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not path.is_file():
        raise ValidationFailed(f"{path} is no file.", code="no_such_path", hint="Give the zip itself.")
    return LocalFile(path, path.name, found.st_size, found.st_mtime_ns)


def _hash(file: LocalFile) -> str:
    try:
        with file.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file.path, error) from None


def _send(storage: Storage, document: Mapping[str, Any], file: LocalFile) -> bool:
    """Send the archive by the form that was answered; False when that is not taken any more."""
    try:
        storage.post_form(document["upload"], file)
    except FormExpired:
        return False
    except FileChanged:
        raise ValidationFailed(
            f"{file.path} was changed while it was sent.", code="file_changed", hint="Give the command again."
        ) from None
    except StorageRefused as error:
        raise Unavailable(error.message, code="storage_refused", hint="Try again; if it stays, ask support.") from None
    except StorageAway as error:
        raise Unavailable(str(error), hint="Give the command again.") from None
    except OSError as error:
        raise _unreadable(file.path, error) from None
    except KeyError:
        raise UnexpectedAnswer("The server gave no way to send the archive.") from None
    return True


def _unreadable(path: Path, error: OSError) -> ValidationFailed:
    return ValidationFailed(
        f"{path} cannot be read: {error.strerror or error}.",
        code="unreadable",
        hint="Check the path, and the file's rights.",
    )
