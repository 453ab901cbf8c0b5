"""The one Celery task, and the life of a worker process around it."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any

from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import Error, connection

from workers.domain import execution, registry
from workers.domain.scratch import scratch
from workers.wakeups import TASK, app

logger = logging.getLogger(__name__)

_BEAT_SECONDS = 0.5


class _Presence:
    """This process's row among the workers, kept fresh by a thread."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._worker_id: uuid.UUID | None = None
        self._gone = threading.Event()
        self._drained = False
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def drain(self) -> None:
        execution.draining.set()

    def stop(self) -> None:
        """Takes the row away. A worker that ended before it was ready has none."""
        self._gone.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _beat(self) -> None:
        while not self._gone.wait(_BEAT_SECONDS if self._worker_id else 0):
            self._tell(self._show)
        self._tell(self._leave)
        connection.close()

    def _show(self) -> None:
        if self._worker_id is None or not registry.beat(worker_id=self._worker_id):
            self._worker_id = registry.enter(name=self.name, pool=settings.WORKER_POOL, slots=settings.WORKER_SLOTS)
            self._drained = False
        if execution.draining.is_set() and not self._drained:
            registry.drain(worker_id=self._worker_id)
            self._drained = True

    def _leave(self) -> None:
        if self._worker_id is not None:
            registry.leave(worker_id=self._worker_id)

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Error as error:
            # A row that stays behind is dead after a lease's time.
            logger.warning("presence: %s", error)
            connection.close()
            self._gone.wait(1)


presence = _Presence()


@app.task(name=TASK)
def run_job(job_id: str) -> None:
    """Does the job if it is still to be done; a late or doubled message does nothing."""
    try:
        execution.execute_job(job_id=uuid.UUID(job_id), worker=presence.name)
    finally:
        # The pool's threads live on; an idle connection each would be kept for nothing.
        connection.close()


@worker_ready.connect
def _started(**_: Any) -> None:
    if swept := scratch.sweep():
        logger.info("removed what %s dead workers left in the scratch folder", swept)
    presence.start()


@worker_shutting_down.connect
def _draining(**_: Any) -> None:
    presence.drain()


@worker_shutdown.connect
def _stopped(**_: Any) -> None:
    presence.stop()
    execution.close_children()
    scratch.remove()
