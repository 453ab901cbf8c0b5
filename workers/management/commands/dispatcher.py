"""`manage.py dispatcher`: hands out work until SIGTERM. Run as many as you like; one turns, the others wait."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, connections

from workers import wakeups
from workers.domain import dispatching

logger = logging.getLogger(__name__)

# Seconds. A turn that found work is followed by the next at once.
IDLE, WAIT_FOR_LOCK, AFTER_ERROR = 0.1, 1.0, 1.0


class Command(BaseCommand):
    help = "Hands out jobs to workers, fairly."

    def handle(self, **_options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        locked, waits = False, False
        while not stop.is_set():
            try:
                if not locked:
                    locked = dispatching.is_sole_dispatcher()
                    if locked or not waits:
                        logger.info("dispatching" if locked else "another dispatcher turns; waiting")
                    waits = not locked
                pause = self._turn() if locked else WAIT_FOR_LOCK
            except Error as error:
                # The lock ends with its connection; without it, another may turn already.
                logger.warning("database: %s", error)
                connections.close_all()
                locked, pause = False, AFTER_ERROR
            stop.wait(pause)
        connections.close_all()

    def _turn(self) -> float:
        dispatching.confirm_lock()
        done = dispatching.turn(send=wakeups.send)
        if done.reaped:
            logger.info("%s jobs went back: their grace or lease ran out", done.reaped)
        return 0.0 if done.sent else IDLE
