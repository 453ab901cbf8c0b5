"""When a file counts as written, and what is read of it."""

import os
from pathlib import Path

import pytest

from myriad_edge import files
from myriad_edge.files import Changed, Version, Watcher, read_version

DATA = b"an image, or not"


class Clock:
    """Both clocks of a watcher."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(files, "time", made)
    return made


def put(camera: Path, clock: Clock, data: bytes, *, age: float = 0) -> None:
    (camera / "a.png").write_bytes(data)
    os.utime(camera / "a.png", ns=(0, int((clock.now - age) * 1e9)))


def test_a_file_is_given_when_it_rests_and_again_when_it_rests_long(camera: Path, clock: Clock) -> None:
    watcher = Watcher(camera, settle=1, is_done=lambda version: False)
    put(camera, clock, b"ha")
    assert (watcher.look(), watcher.waits) == ([], True)
    clock.now += 0.9
    put(camera, clock, b"half")
    clock.now += 0.9
    assert watcher.look() == []
    clock.now += 0.2
    (resting,) = watcher.look()
    assert not resting.given_up
    watcher.leave(resting)
    clock.now += 2
    assert (watcher.look(), watcher.waits) == ([], True)
    clock.now += 3
    (resting,) = watcher.look()
    assert resting.given_up


def test_old_files_are_given_at_once_and_those_of_the_future_after_a_while(camera: Path, clock: Clock) -> None:
    watcher = Watcher(camera, settle=1, is_done=lambda version: False)
    put(camera, clock, b"old", age=60)
    assert [resting.given_up for resting in watcher.look()] == [True]
    put(camera, clock, b"of tomorrow", age=-86_400)
    assert watcher.look() == []
    clock.now += 1
    assert len(watcher.look()) == 1


def test_once_waits_for_what_was_there_and_for_nothing_else(camera: Path, clock: Clock) -> None:
    watcher = Watcher(camera, settle=1, is_done=lambda version: False)
    put(camera, clock, b"slow")
    watcher.look()
    watcher.keep_to(watcher.names())
    (camera / "later.png").write_bytes(DATA)
    clock.now += 1e9
    (resting,) = watcher.look()
    watcher.forget(resting)
    assert resting.version.name == "a.png"
    assert not watcher.waits


def test_what_changes_while_it_is_read_is_not_taken(camera: Path) -> None:
    (camera / "a.png").write_bytes(DATA)
    status = (camera / "a.png").stat()
    now = Version("a.png", status.st_size, status.st_mtime_ns)
    assert read_version(camera, now) == DATA
    for other in (
        Version("a.png", now.size - 1, now.mtime_ns),
        Version("a.png", now.size, now.mtime_ns - 1),
        Version("gone.png", now.size, now.mtime_ns),
    ):
        with pytest.raises(Changed):
            read_version(camera, other)
