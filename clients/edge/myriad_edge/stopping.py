"""Ending when asked to, after the image at hand."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Final

_STEP: Final = 0.1  # seconds


class Stop:
    """Whether SIGTERM or SIGINT has come. A second one ends the program at once, as if nobody listened."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def pause(self, seconds: float) -> None:
        """Sleep, but not much longer once asked to stop."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))

    def _heard(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.asked = True
        signal.signal(number, signal.SIG_DFL)
