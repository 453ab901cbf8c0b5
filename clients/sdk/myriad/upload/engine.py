"""The upload as a whole: threads, order, stopping."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from myriad.errors import MyriadError, ValidationFailed
from myriad.transport import Transport
from myriad.upload.batch import Batch, Item, Outage
from myriad.upload.files import LocalFile, Scan, hashed, scan
from myriad.upload.ledger import Ledger
from myriad.upload.report import OnUpload, Outcome, UploadReport
from myriad.upload.sidecars import Facts, Scalar, Sidecar
from myriad.upload.stopping import Stop, Stopped
from myriad.upload.storage import Storage

# A batch ends at whichever comes first. The bytes bound what an interruption makes us send again: a file is
# safe once its batch is complete.
BATCH_FILES = 100
BATCH_BYTES = 64_000_000
# Batches under way at once: one is sent while the next asks for its forms and the last says that it has
# arrived.
_BATCHES = 3
_HASHERS = 2
_TELL_SECONDS = 0.1
_LEAVE_SECONDS = 2.0
# Files in a row that the storage must fail, all retries included, before it counts as away.
_OUTAGE_FILES = 3


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be said of the files: the same of all of them, and what a sidecar knows of each, which goes first."""

    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    split: str | None = None
    sidecar: Sidecar | None = None

    def body_of(self, file: LocalFile, sha256: str) -> dict[str, Any]:
        """Give what the API is told of the file."""
        facts = (self.sidecar and self.sidecar.facts_of(file.name)) or Facts()
        body: dict[str, Any] = {
            "filename": file.name,
            "size": file.size,
            "sha256": sha256,
            "content_type": file.content_type,
        }
        if metadata := {**self.metadata, **facts.metadata}:
            body["metadata"] = metadata
        if split := facts.split or self.split:
            body["split"] = split.upper()
        if facts.group is not None:
            body["group"] = facts.group
        return body


def upload(
    *,
    transport: Transport,
    project: str,
    paths: Iterable[str | os.PathLike[str]],
    wish: Wish,
    parallel: int,
    on_progress: OnUpload | None,
) -> UploadReport:
    """Send photographs and tell file by file what came of it.

    Raises `MyriadError` when what went wrong concerns all files (the key, the project, a service that stays
    away); its `report` then says what had been done. Whatever way it ends, the same call again sends only
    what is missing. `on_progress` is called in the caller's thread; what it raises ends the upload.
    """
    if parallel < 1:
        raise ValidationFailed("At least one file must be sent at a time.", code="bad_parallel")
    return _Upload(transport, project, scan(paths), wish, parallel).run(on_progress)


class _Upload:
    def __init__(self, transport: Transport, project: str, found: Scan, wish: Wish, parallel: int) -> None:
        self._transport = transport
        self._project = project
        self._found = found
        self._wish = wish
        self._parallel = parallel
        self._stop = Stop()
        self._ledger = Ledger(found.files)
        self._trouble: BaseException | None = None
        self._slots = threading.Semaphore(_BATCHES)

    def run(self, on_progress: OnUpload | None) -> UploadReport:
        started = time.monotonic()
        storage = Storage(
            retry=self._transport.retry,
            timeout=self._transport.timeout,
            stop=self._stop,
        )
        senders = ThreadPoolExecutor(self._parallel, thread_name_prefix="myriad-send")
        batches = ThreadPoolExecutor(_BATCHES, thread_name_prefix="myriad-batch")
        feeder = ThreadPoolExecutor(1, thread_name_prefix="myriad-feed")

        def tidy(_: Future[None]) -> None:
            senders.shutdown()
            storage.close()

        feeding = feeder.submit(self._feed, storage, senders, batches)
        feeding.add_done_callback(tidy)
        try:
            ended = False
            while not ended:
                ended = bool(wait([feeding], timeout=_TELL_SECONDS).done)
                if on_progress is not None:
                    on_progress(self._ledger.progress())
        except BaseException:
            self._stop.set()
            senders.shutdown(wait=False, cancel_futures=True)
            # A thread may wait for an answer that does not come; whoever interrupts does not wait with it.
            wait([feeding], timeout=_LEAVE_SECONDS)
            raise
        finally:
            for pool in (feeder, batches, senders):
                pool.shutdown(wait=feeding.done())
        return self._outcome(feeding, time.monotonic() - started)

    def _outcome(self, feeding: Future[None], seconds: float) -> UploadReport:
        report = self._ledger.report(project=self._project, skipped=self._found.skipped, seconds=seconds)
        trouble = self._trouble or feeding.exception()
        if trouble is None:
            return report
        if isinstance(trouble, MyriadError):
            trouble.report = report
        raise trouble

    def _feed(self, storage: Storage, senders: ThreadPoolExecutor, batches: ThreadPoolExecutor) -> None:
        """Hash, cut into batches and start them; end when the last has ended."""
        outage = Outage(min(_OUTAGE_FILES, max(1, len(self._found.files))))
        under_way: list[Future[None]] = []
        turn = threading.Event()
        turn.set()
        try:
            for items in self._batches():
                while not self._slots.acquire(timeout=_TELL_SECONDS):
                    self._stop.check()
                self._stop.check()
                batch = Batch(
                    project=self._project,
                    items=items,
                    transport=self._transport,
                    storage=storage,
                    senders=senders,
                    ledger=self._ledger,
                    outage=outage,
                    stop=self._stop,
                    turn=turn,
                    asked=threading.Event(),
                )
                turn = batch.asked
                under_way.append(batches.submit(self._run_batch, batch, senders))
        except Stopped:
            pass
        except BaseException:
            self._stop.set()
            raise
        finally:
            wait(under_way)

    def _run_batch(self, batch: Batch, senders: ThreadPoolExecutor) -> None:
        try:
            batch.run()
        except (Stopped, CancelledError):
            pass
        except BaseException as error:  # noqa: BLE001 - `run` raises it in the caller's thread
            if not self._stop.is_set():  # what comes after the first trouble, comes of it
                self._trouble = error
            self._stop.set()
            # What waits to be sent would only find out one by one that it is over.
            senders.shutdown(wait=False, cancel_futures=True)
        finally:
            batch.asked.set()  # whatever happened, nobody waits for it
            self._slots.release()

    def _batches(self) -> Iterator[list[Item]]:
        """Cut the files into batches, leaving out what cannot be read or is there twice."""
        first_of: dict[str, int] = {}
        batch: list[Item] = []
        size = 0
        for place, (file, digest) in enumerate(hashed(self._found.files, threads=_HASHERS)):
            self._stop.check()
            if isinstance(digest, OSError):
                self._unreadable(place, "unreadable", digest.strerror or str(digest), "Check the file and its rights.")
            elif not _is_text(file.name):
                self._unreadable(place, "bad_filename", "The name is not valid text.", "Rename the file.")
            elif digest in first_of:
                self._ledger.same_as(place, first_of[digest])
            else:
                first_of[digest] = place
                batch.append(Item(place, file, self._wish.body_of(file, digest)))
                size += file.size
            if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _unreadable(self, place: int, code: str, message: str, hint: str) -> None:
        self._ledger.settle(place, Outcome.FAILED, error={"code": code, "message": message, "hint": hint})


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of a file system that are not UTF-8
        return False
    return True
