"""Pixels for hosted prediction, from decode children that stay, so that a picture does not wait for one to start.

A child belongs to one tenant for its life and never sees another's files.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from projects.domain.decoding import DecodeCode, PixelsRefused, PixelsUnavailable
from workers.children.child_pool import ChildPool, NoChild
from workers.children.decode import DECODE_PROGRAM, LIMITS, PATIENCE
from workers.children.decode_checks import condemned
from workers.children.decode_pixels import ask_for_pixels, in_memory
from workers.children.process import ChildDied, ChildLimits, ChildProcess, ChildTimedOut, ChildTooLarge
from workers.children.refusals import Refused

__all__ = ["PixelPool", "PixelsRefused", "PixelsUnavailable"]

log = logging.getLogger(__name__)

Pixels: TypeAlias = npt.NDArray[np.uint8]

#: As for ingest, but a customer is waiting: not nice.
SERVING_LIMITS: Final = replace(LIMITS, niceness=0)
_IDLE_SECONDS: Final = 60.0


class PixelPool:
    """Decodes single pictures of many tenants. Any thread may call; the pictures of one tenant take turns.

    Children start with the first call, or with ``start``; at most ``max_children`` and a spare are there at a
    time, about 20 MB each.
    """

    def __init__(
        self, max_children: int = 8, *, program: Path = DECODE_PROGRAM, limits: ChildLimits = SERVING_LIMITS
    ) -> None:
        self._children = ChildPool(program, limits, most=max_children, idle_seconds=_IDLE_SECONDS)

    def start(self) -> None:
        """Have a child ready before the first picture comes."""
        self._children.start()

    def close(self) -> None:
        """End all children."""
        self._children.close()

    def decode(self, tenant_id: uuid.UUID, data: bytes, declared_type: str | None) -> Pixels:
        """Return the upright picture as uint8 (H, W, 3), RGB; without a ``declared_type`` any that is taken will do.

        Raises ``PixelsRefused`` for what is no picture within the limits, ``PixelsUnavailable`` when no child
        can be had. What kills a child is tried once more, in a fresh one.
        """
        try:
            return self._decode(tenant_id, data, declared_type)
        except Refused as refused:
            raise PixelsRefused(refused.code, f"The image {refused.message}.", refused.hint) from None
        except NoChild as error:
            raise PixelsUnavailable(f"Images cannot be decoded now: {error}.") from error

    def _decode(self, tenant_id: uuid.UUID, data: bytes, declared_type: str | None) -> Pixels:
        if not data:
            raise Refused(DecodeCode.EMPTY_FILE, "is empty", "Send the bytes of an image file.")
        with ExitStack() as stack:
            source = in_memory(stack, data)
            for is_last in (False, True):
                try:
                    return self._attempt(tenant_id, source, declared_type)
                except (ChildDied, ChildTimedOut, ChildTooLarge) as error:
                    log.warning("a picture of tenant %s ended its child: %s\n%s", tenant_id, error, error.evidence)
                    if is_last or (isinstance(error, ChildTimedOut) and error.by_computing):
                        raise condemned(error, seconds=PATIENCE.computing) from error
        raise AssertionError("the last attempt returns")

    def _attempt(self, tenant_id: uuid.UUID, source: int, declared_type: str | None) -> Pixels:
        with ExitStack() as stack:
            target = in_memory(stack)
            with self._children.lend(tenant_id) as child:
                outcome = _ask(child, source, target, declared_type)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome


def _ask(child: ChildProcess, source: int, target: int, declared_type: str | None) -> Pixels | Refused:
    """Return the pixels or the refusal; raises ``ChildError`` for what a sound child would not do."""

    def ask(header: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
        return child.ask(header, fds=fds, patience=PATIENCE).header

    try:
        width, height = ask_for_pixels(ask, source, target, declared_type)
    except Refused as refused:
        return refused
    pixels = np.empty((height, width, 3), np.uint8)
    # Copied, not mapped: a child that has been taken over could cut the file short under a mapping.
    if os.fstat(target).st_size != pixels.nbytes or not _fill(pixels, target):
        raise ChildDied("the program wrote something else than it says")
    return pixels


def _fill(pixels: Pixels, source: int) -> bool:
    rest, offset = pixels.reshape(-1).data, 0
    while rest:
        got = os.preadv(source, [rest], offset)
        if not got:
            return False
        rest, offset = rest[got:], offset + got
    return True
