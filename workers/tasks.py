"""The one Celery task, and the life of a worker process around it."""

import logging
import os
import socket
import threading
import uuid
from typing import Any

from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import DatabaseError, connection

from workers.domain import execution, registry
from workers.wakeups import TASK, app

logger = logging.getLogger(__name__)


class _Presence:
    """This process's row among the workers, kept fresh by a thread."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._worker_id: uuid.UUID | None = None
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def drain(self) -> None:
        execution.draining.set()

    def stop(self) -> None:
        self._gone.set()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        drained = False
        while not self._gone.wait(0.5 if self._worker_id else 0):
            try:
                if self._worker_id is None or not registry.beat(worker_id=self._worker_id):
                    self._worker_id = registry.enter(
                        name=self.name, pool=settings.WORKER_POOL, slots=settings.WORKER_SLOTS
                    )
                    drained = False
                if execution.draining.is_set() and not drained:
                    registry.drain(worker_id=self._worker_id)
                    drained = True
            except DatabaseError as error:
                logger.warning("presence: %s", error)
                connection.close()
                self._gone.wait(1)
        if self._worker_id is not None:
            registry.leave(worker_id=self._worker_id)
        connection.close()


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
    presence.start()


@worker_shutting_down.connect
def _draining(**_: Any) -> None:
    presence.drain()


@worker_shutdown.connect
def _stopped(**_: Any) -> None:
    presence.stop()
