"""How many images a second, said on standard error now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_EVERY: Final = 10.0  # seconds


class Pace:
    """Counts images and the seconds spent on them; a program that waits for images is not slow."""

    def __init__(self) -> None:
        self.images = 0
        self.failed = 0
        self._busy = 0.0
        self._told = time.monotonic()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around the work on one image, done or not."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._busy += time.perf_counter() - began

    def count(self, *, failed: bool) -> None:
        """One image more has its line."""
        self.images += 1
        self.failed += failed
        if time.monotonic() - self._told >= _EVERY:
            self.tell()

    def tell(self, opening: str = "So far") -> None:
        rate = f", {self.images / self._busy:.2f} images a second" if self._busy and self.images else ""
        failed = f", {self.failed} of them with an error" if self.failed else ""
        say(f"{opening}: {self.images} {'image' if self.images == 1 else 'images'}{failed}{rate}")
        self._told = time.monotonic()


def say(text: str) -> None:
    """Tell the person at the terminal, or the service's log."""
    print(text, file=sys.stderr, flush=True)
