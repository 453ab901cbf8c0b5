"""Who may work now: a few pictures at a time, and of each tenant one that is being decoded."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tenants.refusals import Refusal


class Busy(Refusal):
    status = 503
    code = "predictions_busy"
    title = "Too much to do"
    retry_after = 2

    def __init__(self) -> None:
        super().__init__("More pictures wait than can be computed soon.", hint="Try again in a few seconds.")


class Patience:
    """What is left of `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def take(self, lock: "threading.Lock | threading.BoundedSemaphore") -> None:
        """Raises Busy when it is not to be had in that time."""
        if not lock.acquire(timeout=max(0, self._until - time.monotonic())):
            raise Busy


@dataclass
class _Own:
    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0


class Turns:
    """At most `slots` work at a time. Safe for threads."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._guard = threading.Lock()
        self._own: dict[uuid.UUID, _Own] = {}

    @contextmanager
    def slot(self, patience: Patience) -> Iterator[None]:
        """Raises Busy."""
        patience.take(self._slots)
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def of_tenant(self, tenant_id: uuid.UUID, patience: Patience) -> Iterator[None]:
        """The one turn that each tenant has. Raises Busy."""
        with self._guard:
            own = self._own.setdefault(tenant_id, _Own())
            own.wanted += 1
        try:
            patience.take(own.lock)
            try:
                yield
            finally:
                own.lock.release()
        finally:
            with self._guard:
                own.wanted -= 1
                if not own.wanted:
                    del self._own[tenant_id]
