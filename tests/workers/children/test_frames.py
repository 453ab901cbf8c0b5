"""Frames arrive as they were sent, and nonsense is told from them."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from workers.children.frames import MAX_HEADER, PREFIX, BadFrame, Channel, close_fds


class Impatient(Exception):
    """Raised by a tick."""


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    one, other = socket.socketpair()
    channels = Channel(one, max_payload=1 << 26), Channel(other, max_payload=1 << 26, take_fds=True)
    yield channels
    for channel in channels:
        channel.close()


@pytest.fixture
def raw() -> Iterator[tuple[socket.socket, Channel]]:
    """A bare socket and a channel with a limit of 1,000 bytes that loses patience at once."""
    one, other = socket.socketpair()
    yield one, Channel(other, max_payload=1000, interval=0.01)
    one.close()
    other.close()


def test_header_buffers_and_their_alignment(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    large = os.urandom(5_000_001)
    sender = threading.Thread(target=one.send, args=({"kind": "x"},), kwargs={"buffers": [b"abc", b"", large]})
    sender.start()
    frame = other.receive()
    sender.join()
    assert frame is not None
    assert frame.header == {"kind": "x"}
    assert [bytes(buffer) for buffer in frame.buffers] == [b"abc", b"", large]
    assert not frame.buffers[0].readonly


def test_open_files_travel_with_a_frame(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    reading, writing = os.pipe()
    one.send({"number": 1}, fds=[writing])
    one.send({"number": 2})
    first, second = other.receive(), other.receive()
    assert first is not None
    assert second is not None
    assert (len(first.fds), second.fds) == (1, [])
    os.write(first.fds[0], b"through")
    assert os.read(reading, 7) == b"through"
    close_fds([reading, writing, *first.fds])


def test_end_between_frames_is_none_and_inside_is_an_error(raw: tuple[socket.socket, Channel]) -> None:
    sender, channel = raw
    sender.sendall(PREFIX.pack(b"MYR1", 100, 0)[:5])
    sender.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionResetError):
        channel.receive()
    assert channel.receive() is None


def text(header: object) -> bytes:
    return json.dumps(header).encode()


@pytest.mark.parametrize(
    "data",
    [
        PREFIX.pack(b"HTTP", 2, 0) + b"{}",
        PREFIX.pack(b"MYR1", MAX_HEADER + 1, 0),
        PREFIX.pack(b"MYR1", 2, 1001),
        PREFIX.pack(b"MYR1", 2, 0) + b"[]",
        PREFIX.pack(b"MYR1", 2, 0) + b"{]",
        PREFIX.pack(b"MYR1", 2, 0) + b"{}",
        PREFIX.pack(b"MYR1", 100_000, 0) + b"[" * 100_000,
        PREFIX.pack(b"MYR1", 15, 0) + text({"buffers": [1]}),
        PREFIX.pack(b"MYR1", 16, 0) + text({"buffers": [-1]}),
        PREFIX.pack(b"MYR1", 18, 0) + text({"buffers": [True]}),
        PREFIX.pack(b"MYR1", 15, 64) + text({"buffers": 64}) + bytes(64),
    ],
)
def test_nonsense_is_refused(raw: tuple[socket.socket, Channel], data: bytes) -> None:
    sender, channel = raw
    threading.Thread(target=sender.sendall, args=(data,), daemon=True).start()

    with pytest.raises(BadFrame):
        channel.receive(tick=lambda: None)


def test_dripping_sender_cannot_outlast_the_receiver(raw: tuple[socket.socket, Channel]) -> None:
    """The tick runs though bytes keep coming."""
    sender, channel = raw
    stop = threading.Event()

    def drip() -> None:
        sender.sendall(PREFIX.pack(b"MYR1", 500, 0))
        while not stop.wait(0.002):
            sender.send(b"x")

    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks > 20:
            raise Impatient

    dripper = threading.Thread(target=drip)
    dripper.start()
    with pytest.raises(Impatient):
        channel.receive(tick=tick)
    stop.set()
    dripper.join()


def test_receiver_that_never_reads_cannot_hold_the_sender() -> None:
    one, other = socket.socketpair()
    channel = Channel(one, max_payload=0, interval=0.01)

    def tick() -> None:
        raise Impatient

    with pytest.raises(Impatient):
        channel.send({}, buffers=[bytes(10_000_000)], tick=tick)
    channel.close()
    other.close()
