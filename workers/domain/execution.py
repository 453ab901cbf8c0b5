"""Doing one job: lease, handler, heartbeat, and the one write that ends it."""

import logging
import os
import shutil
import tempfile
import threading
import traceback
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connections

from projects.domain.decoding import Decoder
from tenants import jobs
from workers.children.decode import DecodeChild
from workers.domain import leases
from workers.domain.leases import Lease

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


@dataclass(frozen=True)
class Children:
    """The child programs a handler may use."""

    decoder: Decoder


class Context:
    """The `tenants.jobs.JobContext` of one attempt, with the heartbeat that keeps its lease."""

    def __init__(self, lease: Lease, scratch: Path, children: Children) -> None:
        self.tenant_id = lease.tenant_id
        self.job_id = lease.job_id
        self.token = lease.token
        self.spec = lease.spec
        self.scratch = scratch
        self.children = children
        self._lease = lease
        self._progress: dict[str, Any] | None = None
        self.last_progress: dict[str, Any] = {}
        self.canceled = threading.Event()
        self.lost = threading.Event()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"heartbeat-{lease.job_id}", daemon=True)

    def __enter__(self) -> "Context":
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

    def progress(self, done: int, total: int, message: str = "") -> None:
        self.last_progress = self._progress = {"done": done, "total": total, "message": message}

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
                except DatabaseError as error:
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
    scratch = Path(tempfile.mkdtemp(prefix=f"job-{lease.tenant_id}-", dir=_scratch_root()))
    try:
        return _attempt(lease, scratch, Children(decoder=DecodeChild()))
    except jobs.LeaseLost as error:
        logger.warning("%s", error)
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # what remains is swept at the worker's next start


def _attempt(lease: Lease, scratch: Path, children: Children) -> str:
    with Context(lease, scratch, children) as context:
        try:
            handler = jobs.kind_named(lease.kind).handler
            result = handler(context)
        except jobs.Stopped:
            return _stop(lease, context)
        except jobs.JobFailed as failure:
            leases.fail(lease, error=failure.error)
            return "FAILED"
        except jobs.LeaseLost:
            raise
        except Exception:  # noqa: BLE001 - whatever a handler raises must end or repeat its job, never the worker
            return _crash(lease, traceback.format_exc())
    leases.succeed(lease, result=result, progress=context.last_progress)
    return "SUCCEEDED"


def _stop(lease: Lease, context: Context) -> str:
    if context.lost.is_set():
        raise jobs.LeaseLost(f"job {lease.job_id} was given to another worker")
    if context.canceled.is_set():
        leases.end_canceled(lease)
        return "CANCELED"
    leases.give_back(lease)
    return "PENDING"


def _crash(lease: Lease, trace: str) -> str:
    # The logger adds no tenant outside a scope, so it is named here.
    logger.error("job %s of tenant %s, attempt %s:\n%s", lease.job_id, lease.tenant_id, lease.attempts, trace)
    if lease.attempts >= lease.max_attempts:
        leases.fail(lease, error=FAILED_OURSELVES, traceback=trace)
        return "FAILED"
    leases.retry_later(lease, traceback=trace)
    return "PENDING"


def _scratch_root() -> Path:
    root = Path(os.environ.get("WORKER_SCRATCH", tempfile.gettempdir())) / f"myriad-{os.getpid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    return root
