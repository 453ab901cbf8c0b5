"""Children that stay: each belongs to one owner for its life, and one more is ready for whoever comes next."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.children.process import ChildLimits, ChildNotStarted, ChildProcess

log = logging.getLogger(__name__)

#: How long a caller waits for a child that is at work, in seconds.
_WAIT_SECONDS: Final = 30.0
#: How long after a child could not be started the next is tried.
_PAUSE_SECONDS: Final = 1.0


class NoChild(Exception):
    """None can be had: they do not start, or all are at work for too long."""


@dataclass(slots=True)
class _Seat:
    owner: uuid.UUID
    child: ChildProcess
    is_busy: bool = False
    used_at: float = 0.0


class ChildPool:
    """At most ``most`` children of one program, and a spare. Any thread may borrow; an owner's do so in turn.

    A child that nobody asked for ``idle_seconds`` is ended. A thread of the pool's own makes them all, since
    a child dies with the thread that made it.
    """

    def __init__(self, program: Path, limits: ChildLimits, *, most: int, idle_seconds: float) -> None:
        self._program = program
        self._limits = limits
        self._most = most
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._seats: OrderedDict[uuid.UUID, _Seat] = OrderedDict()  # who asked longest ago comes first
        self._spare: ChildProcess | None = None
        self._leaving: list[ChildProcess] = []
        self._trouble: ChildNotStarted | None = None
        self._tried_at = 0.0
        self._keeper: threading.Thread | None = None
        self._is_closed = False

    @contextmanager
    def lend(self, owner: uuid.UUID) -> Iterator[ChildProcess]:
        """Lend the owner's child, for this caller alone. After an exception it is ended. Raises ``NoChild``."""
        seat = self._take(owner)
        try:
            yield seat.child
        except BaseException:
            self._put_back(seat, ends=True)
            raise
        self._put_back(seat, ends=False)

    def start(self) -> None:
        """Have a child ready before anyone asks. Repeating it changes nothing."""
        with self._changed:
            if self._keeper is None and not self._is_closed:
                self._keeper = threading.Thread(target=self._keep, name="child-pool", daemon=True)
                self._keeper.start()

    def close(self) -> None:
        """End all children; who has one sees it die."""
        with self._changed:
            self._is_closed = True
            keeper = self._keeper
            self._changed.notify_all()
        if keeper is not None:
            keeper.join()

    def _take(self, owner: uuid.UUID) -> _Seat:
        self.start()
        until = time.monotonic() + _WAIT_SECONDS
        with self._changed:
            while True:
                if self._is_closed:
                    raise NoChild("the pool is closed")
                seat = self._seats.get(owner) or self._settle(owner)
                if seat is not None and not seat.is_busy:
                    seat.is_busy = True
                    self._seats.move_to_end(owner)
                    return seat
                if seat is None and self._spare is None and self._trouble is not None:
                    raise NoChild("no child starts") from self._trouble
                if not self._changed.wait(until - time.monotonic()):
                    raise NoChild("all are at work")

    def _settle(self, owner: uuid.UUID) -> _Seat | None:
        """Give the spare to an owner without a child, at the cost of the one who asked longest ago."""
        if self._spare is None:
            return None
        if len(self._seats) >= self._most:
            idle = next((seat for seat in self._seats.values() if not seat.is_busy), None)
            if idle is None:
                return None
            self._dismiss(idle)
        seat = self._seats[owner] = _Seat(owner, self._spare)
        self._spare = None
        self._changed.notify_all()
        return seat

    def _put_back(self, seat: _Seat, *, ends: bool) -> None:
        with self._changed:
            seat.is_busy, seat.used_at = False, time.monotonic()
            if ends:
                self._dismiss(seat)
            self._changed.notify_all()

    def _dismiss(self, seat: _Seat) -> None:
        if self._seats.get(seat.owner) is seat:
            del self._seats[seat.owner]
        self._leaving.append(seat.child)

    def _keep(self) -> None:
        """Make spares and end children, until the pool is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(self._is_something_to_do, timeout=_PAUSE_SECONDS)
                self._dismiss_idle()
                leaving, self._leaving = self._leaving, []
                makes_one = self._is_spare_due()
                is_closed = self._is_closed
            for child in leaving:
                child.kill()
            if is_closed:
                return
            if makes_one:
                self._make_spare()

    def _is_something_to_do(self) -> bool:
        return self._is_closed or bool(self._leaving) or self._is_spare_due()

    def _is_spare_due(self) -> bool:
        is_paused = self._trouble is not None and time.monotonic() - self._tried_at < _PAUSE_SECONDS
        return self._spare is None and not is_paused

    def _dismiss_idle(self) -> None:
        since = time.monotonic() - self._idle_seconds
        for seat in list(self._seats.values()):
            if self._is_closed or (not seat.is_busy and seat.used_at < since):
                self._dismiss(seat)
        if self._is_closed and self._spare is not None:
            self._leaving.append(self._spare)
            self._spare = None

    def _make_spare(self) -> None:
        spare, trouble = None, None
        try:
            spare = ChildProcess(self._program, self._limits)
        except ChildNotStarted as error:
            log.error("no child starts: %s\n%s", error, error.evidence)  # noqa: TRY400 - the evidence says more
            trouble = error
        with self._changed:
            self._spare, self._trouble, self._tried_at = spare, trouble, time.monotonic()
            self._changed.notify_all()
