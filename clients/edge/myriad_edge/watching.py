"""The loop: look at the folder, see to each file that rests, pause, until there is no more or it is to end."""

from __future__ import annotations

import time
from typing import Final

from myriad_edge.errors import BadInput
from myriad_edge.files import Resting, Watcher
from myriad_edge.pace import say
from myriad_edge.stopping import Stop
from myriad_edge.work import Work

_POLL: Final = 0.5  # seconds between two looks at the folder
#: A look at a folder of many thousand files takes long; looking is to take a tenth of the time at most.
_REST: Final = 9


def watch(watcher: Watcher, work: Work, stop: Stop) -> None:
    """Inspect what is there and what comes, until asked to stop.

    Raises BadInput if the folder cannot be read at first. One that goes away later is waited for: drives come back.
    """
    looked, is_there = _look(watcher, work), True
    while not stop.asked:
        _see_to(looked, watcher, work, stop)
        began = time.monotonic()
        try:
            looked, is_there = watcher.look(), True
        except OSError as error:
            if is_there:
                say(f"{work.folder} cannot be read: {error.strerror}. Waiting for its return.")
            looked, is_there = [], False
        stop.pause(max(_POLL, _REST * (time.monotonic() - began)))


def inspect_once(watcher: Watcher, work: Work, stop: Stop) -> None:
    """Inspect what is there, waiting for what is still being written, and end. Raises BadInput as `watch` does."""
    looked = _look(watcher, work)
    watcher.keep_to(watcher.names())
    _see_to(looked, watcher, work, stop)
    while watcher.waits and not stop.asked:
        stop.pause(_POLL)
        _see_to(_look(watcher, work), watcher, work, stop)


def _look(watcher: Watcher, work: Work) -> list[Resting]:
    try:
        return watcher.look()
    except OSError as error:
        raise BadInput(
            f"{work.folder} cannot be read: {error.strerror}.", "Name the folder that the images come into."
        ) from error


def _see_to(looked: list[Resting], watcher: Watcher, work: Work, stop: Stop) -> None:
    for resting in looked:
        if stop.asked:
            return
        with work.pace.one():
            is_done = work.take(resting.version, given_up=resting.given_up)
        if is_done:
            watcher.forget(resting)
        else:
            watcher.leave(resting)
