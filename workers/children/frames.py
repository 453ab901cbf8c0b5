"""Frames: how a child program and its parent talk over one stream socket.

A frame is a prefix, a JSON object and, after it, any number of raw buffers::

    b"MYR1" | header length (u32) | payload length (u64) | header, JSON in UTF-8 | payload

The header's ``buffers`` lists the buffers' lengths; each starts at a multiple of 64 bytes in the payload, so
that an array made from it is aligned. Open files may travel with a frame towards the child (SCM_RIGHTS).
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

MAGIC: Final = b"MYR1"
PREFIX: Final = struct.Struct("!4sIQ")
ALIGNMENT: Final = 64
MAX_HEADER: Final = 1 << 20
_MAX_FDS: Final = 8

Buffer: TypeAlias = bytes | bytearray | memoryview


class BadFrame(Exception):
    """The other side sent something that is no frame, or one over the limits."""


@dataclass(slots=True)
class Frame:
    """One message. ``buffers`` are writable views on one allocation; ``fds`` are the receiver's to close."""

    header: dict[str, Any]
    buffers: list[memoryview] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)


class Channel:
    """Frames over ``sock``, which the channel owns.

    One thread may send while another receives; two may not do the same at once. ``interval`` (seconds) bounds
    each wait: after it, ``tick`` is called, whose exceptions end the call. Without it, calls block.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        max_payload: int,
        interval: float | None = None,
        take_fds: bool = False,
    ) -> None:
        sock.settimeout(interval)
        self._sock = sock
        self._max_payload = max_payload
        self._take_fds = take_fds

    def close(self) -> None:
        """Close the socket; the other side sees the end of the stream."""
        self._sock.close()

    def send(
        self,
        header: dict[str, Any],
        *,
        buffers: Sequence[Buffer] = (),
        fds: Sequence[int] = (),
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Send one frame; raises ``OSError`` when the other side is gone."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        text = json.dumps({**header, "buffers": [len(view) for view in views]}, allow_nan=True).encode()
        if len(text) > MAX_HEADER:
            raise BadFrame(f"a header of {len(text)} bytes")
        payload = sum(len(view) + _padding(len(view)) for view in views)
        self._send_all(memoryview(PREFIX.pack(MAGIC, len(text), payload) + text), fds, tick)
        for view in views:
            self._send_all(view, (), tick)
            self._send_all(memoryview(bytes(_padding(len(view)))), (), tick)

    def receive(self, *, tick: Callable[[], None] | None = None) -> Frame | None:
        """Wait for one frame; None when the other side closed between frames.

        Raises ``BadFrame`` for anything malformed and ``OSError`` when the stream breaks off inside a frame.
        """
        prefix, fds = self._receive_prefix(tick)
        if not prefix:
            return None
        try:
            magic, header_size, payload_size = PREFIX.unpack(prefix)
            if magic != MAGIC or header_size > MAX_HEADER or payload_size > self._max_payload:
                raise BadFrame(f"a frame of {header_size} + {payload_size} bytes")
            header = _parse(bytes(self._receive_exactly(header_size, tick)))
            payload = memoryview(self._receive_exactly(payload_size, tick))
            return Frame(header, _split(header.pop("buffers", None), payload), fds)
        except BaseException:
            close_fds(fds)
            raise

    def _send_all(self, data: memoryview, fds: Sequence[int], tick: Callable[[], None] | None) -> None:
        while data:
            try:
                # Descriptors ride on the first byte; once it is sent they must not be sent again.
                sent = socket.send_fds(self._sock, [data], list(fds)) if fds else self._sock.send(data)
            except TimeoutError:
                _run(tick)
                continue
            fds = ()
            data = data[sent:]

    def _receive_prefix(self, tick: Callable[[], None] | None) -> tuple[bytes, list[int]]:
        prefix, fds = b"", list[int]()
        while len(prefix) < PREFIX.size:
            try:
                if self._take_fds:
                    part, got, _, _ = socket.recv_fds(self._sock, PREFIX.size - len(prefix), _MAX_FDS)
                    fds += got
                else:
                    part = self._sock.recv(PREFIX.size - len(prefix))
            except TimeoutError:
                _run(tick)
                continue
            if not part:
                if prefix:
                    raise ConnectionResetError("the stream ended inside a frame")
                break
            prefix += part
        return prefix, fds

    def _receive_exactly(self, size: int, tick: Callable[[], None] | None) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                got = self._sock.recv_into(view)
            except TimeoutError:
                _run(tick)
                continue
            if not got:
                raise ConnectionResetError("the stream ended inside a frame")
            view = view[got:]
            _run(tick)  # a sender that drips byte by byte must not escape the receiver's deadline
        return data


def close_fds(fds: Sequence[int]) -> None:
    """Close descriptors that came with a frame."""
    for fd in fds:
        os.close(fd)


def _run(tick: Callable[[], None] | None) -> None:
    if tick is not None:
        tick()


def _padding(size: int) -> int:
    return -size % ALIGNMENT


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise BadFrame("a header that is no object")
    return header


def _split(lengths: Any, payload: memoryview) -> list[memoryview]:
    if not isinstance(lengths, list) or not all(type(size) is int and size >= 0 for size in lengths):
        raise BadFrame("a header without buffer lengths")
    if sum(size + _padding(size) for size in lengths) != len(payload):
        raise BadFrame("buffer lengths that do not add up")
    buffers, start = list[memoryview](), 0
    for size in lengths:
        buffers.append(payload[start : start + size])
        start += size + _padding(size)
    return buffers
