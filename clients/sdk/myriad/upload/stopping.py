"""Stopping all threads of an upload promptly, whatever they are at."""

from __future__ import annotations

import threading


class Stopped(Exception):
    """The upload is over for every thread: interrupted, or ended by an error that concerns all files."""


class Stop:
    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` if it is time to."""
        if self._event.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait that long, or raise `Stopped` as soon as it is time to."""
        if self._event.wait(seconds):
            raise Stopped
