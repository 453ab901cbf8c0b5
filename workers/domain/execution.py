"""Doing one job: lease, handler, heartbeat, and the one write that ends it."""

import json
import logging
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connections

from projects.domain.archives.contents import ArchiveReader, OpenArchive
from projects.domain.decoding import (
    DecodedPixels,
    DecodeFailure,
    Decoder,
    DecodeRequest,
    DecodeResult,
    PixelReader,
    PixelRequest,
)
from tenants import jobs
from tenants.scope import refuse_open_transaction
from tenants.tracing import traced
from training.domain.computing import Computer
from workers.children.archives import ArchiveChild
from workers.children.decode import DecodeChild
from workers.domain import leases
from workers.domain.leases import Lease
from workers.domain.scratch import scratch

logger = logging.getLogger(__name__)

# Seconds between heartbeats; also how soon a cancel is noticed.
HEARTBEAT_SECONDS = 1.0
FAILED_OURSELVES = {
    "code": "job_crashed",
    "message": "The work failed on our side and has been given up.",
    "hint": "Start it again; if it fails once more, send the operator the job's id.",
}

# Set on SIGTERM: running handlers stop at their next check and their jobs go back to the queue.
draining = threading.Event()


class ImageDecoder(Decoder, PixelReader, Protocol):
    """What decodes for handlers: uploads into what is stored, and what is stored into pixels."""


class _OutsideTransactions:
    """A decoder that refuses to start its child while a transaction is open, as storage refuses its traffic."""

    def __init__(self, decoder: ImageDecoder) -> None:
        self._decoder = decoder

    def decode(
        self,
        batch: Sequence[DecodeRequest],
        *,
        on_result: Callable[[DecodeResult], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[DecodeResult]:
        refuse_open_transaction("a child process")
        return self._decoder.decode(batch, on_result=on_result, should_stop=should_stop)

    def read_pixels(
        self,
        batch: Sequence[PixelRequest],
        *,
        out_dir: Path,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[DecodedPixels | DecodeFailure]:
        refuse_open_transaction("a child process")
        return self._decoder.read_pixels(batch, out_dir=out_dir, should_stop=should_stop)


class _ArchivesOutsideTransactions:
    """A reader of archives that refuses likewise."""

    def open(
        self, path: Path, *, scratch: Path, should_stop: Callable[[], bool]
    ) -> AbstractContextManager[OpenArchive]:
        refuse_open_transaction("a child process")
        return ArchiveChild().open(path, scratch=scratch, should_stop=should_stop)


@dataclass(frozen=True)
class Children:
    """The child programs a handler may use."""

    decoder: ImageDecoder
    archives: ArchiveReader = field(default_factory=_ArchivesOutsideTransactions)

    @property
    def engine(self) -> Computer:
        """This process's engine. Its parent side brings numpy, which a worker that only ingests can do without."""
        from workers.domain.computing import computer  # noqa: PLC0415

        return computer


def close_children() -> None:
    """Ends the engine, if one was ever asked for."""
    computing = sys.modules.get("workers.domain.computing")
    if computing is not None:
        computing.computer.close()


class Context:
    """The `tenants.jobs.JobContext` of one attempt, with the heartbeat that keeps its lease."""

    def __init__(self, lease: Lease, folder: Path, children: Children) -> None:
        self.tenant_id = lease.tenant_id
        self.job_id = lease.job_id
        self.token = lease.token
        self.spec: Mapping[str, Any] = lease.spec
        self.scratch = folder
        self.children = children
        self._lease = lease
        self._progress: dict[str, Any] | None = None
        self.last_progress: dict[str, Any] = {}
        self.canceled = threading.Event()
        self.lost = threading.Event()
        self._ended = threading.Event()
        self._heart = threading.Thread(
            target=traced(lease.tenant_id)(self._beat), name=f"heartbeat-{lease.job_id}", daemon=True
        )

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._heart.join()

    def should_stop(self) -> bool:
        return self.canceled.is_set() or self.lost.is_set() or draining.is_set()

    def check(self) -> None:
        if self.should_stop():
            raise jobs.Stopped

    def progress(self, done: float, total: float, message: str = "", **figures: Any) -> None:
        self.last_progress = self._progress = {"done": done, "total": total, "message": message} | figures

    def publishing(self) -> AbstractContextManager[None]:
        return leases.publishing(self._lease)

    def _beat(self) -> None:
        """Renews the lease until the attempt ends. A database that is away is asked again while the lease may last."""
        try:
            while not self._ended.wait(HEARTBEAT_SECONDS):
                shown, self._progress = self._progress, None
                try:
                    if leases.renew(self._lease, progress=shown):
                        self.canceled.set()
                except jobs.LeaseLost as error:
                    logger.warning("%s", error)
                    self.lost.set()
                    return
                except Error as error:
                    logger.warning("heartbeat of job %s: %s", self.job_id, error)
                    self._progress = self._progress or shown
                    connections["default"].close()
        finally:
            connections["default"].close()


def execute_job(*, job_id: uuid.UUID, worker: str) -> str | None:
    """Does a dispatched job to its end; the state it was left in, or None when it was not ours to do."""
    lease = leases.take_lease(job_id=job_id, worker=worker)
    if lease is None:
        logger.info("job %s: late or doubled wake-up", job_id)
        return None
    with traced(lease.tenant_id):
        return _attempt(lease)


def _attempt(lease: Lease) -> str | None:
    try:
        with scratch.job_folder(lease.tenant_id) as folder:
            with Context(lease, folder, Children(_OutsideTransactions(DecodeChild()))) as context:
                ending = _work(lease, context)
            # The heart has stopped: it would miss the lease that is given up here.
            return _insist(ending)
    except jobs.LeaseLost as error:
        logger.warning("%s", error)
        return None


def _work(lease: Lease, context: Context) -> Callable[[], str]:
    """Runs the handler; returns the write by which the attempt ends."""
    try:
        context.check()
        result = jobs.kind_named(lease.kind).handler(context)
        json.dumps(result)  # one that cannot be stored is a failure like any other
    except jobs.Stopped:
        return _stop(lease, context)
    except jobs.JobFailed as failure:
        return partial(leases.fail, lease, error=failure.error)
    except jobs.LeaseLost:
        raise
    except Exception:  # noqa: BLE001 - whatever a handler raises must end or repeat its job, never the worker
        return _crash(lease, traceback.format_exc())
    return partial(leases.succeed, lease, result=result, progress=context.last_progress)


def _stop(lease: Lease, context: Context) -> Callable[[], str]:
    if context.lost.is_set():
        raise jobs.LeaseLost(f"job {lease.job_id} was given to another worker")
    return partial(leases.end_canceled if context.canceled.is_set() else leases.give_back, lease)


def _crash(lease: Lease, trace: str) -> Callable[[], str]:
    logger.error("job %s of tenant %s, attempt %s:\n%s", lease.job_id, lease.tenant_id, lease.attempts, trace)
    if lease.attempts >= lease.max_attempts:
        return partial(leases.fail, lease, error=FAILED_OURSELVES, traceback=trace)
    return partial(leases.retry_later, lease, traceback=trace)


def _insist(ending: Callable[[], str]) -> str:
    """Repeats the write while the database is away and the lease may last: an hour's work hangs on it."""
    until = time.monotonic() + settings.JOB_LEASE_SECONDS
    while True:
        try:
            return ending()
        except (OperationalError, InterfaceError) as error:
            connections["default"].close()
            if time.monotonic() > until:
                raise
            logger.warning("the end of a job could not be written yet: %s", error)
            time.sleep(HEARTBEAT_SECONDS)
