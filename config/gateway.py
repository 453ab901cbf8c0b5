"""Hands the predict addresses from the web to the process that serves predictions, and its answers back.

For stacks without an ingress that knows both. What is forwarded is only ever a POST to one of them, to the one server
that the settings name; who may ask is decided there, by the same code as here. A body is taken whole, into a temporary
file where it is large, before it is passed on, so that a slow sender holds nothing there.
"""

import contextlib
import http.client
import json
import logging
import re
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tenants.api import problems

logger = logging.getLogger(__name__)

# The API's two, and that of the pages' scripts, below a tenant's address.
ADDRESSES = re.compile(r"/(?:api/v1/(?:models|projects)|t/[-\w]{1,100}/api/models)/[0-9a-f-]{36}/predict", re.ASCII)
PIECE = 64 * 1024
MEMORY_BYTES = 1024 * 1024
# Seconds. A process of the same stack answers a connection at once; what it may take over a prediction is in
# `fleet.domain.hosting`, and less than this.
CONNECT_SECONDS = 2
ANSWER_SECONDS = 50
# Seconds that a body may take to come, and those spent on one that is refused: who still sends does not listen yet.
BODY_SECONDS = 30
DRAIN_SECONDS = 1
MOST_ANSWER_BYTES = 4 * 1024 * 1024
RETRY_SECONDS = 5
BUSY_SECONDS = 2
# Of one connection only (RFC 9110 §7.6.1), or the server's own affair.
_NOT_PASSED_ON = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade", "expect", "content-length", "server", "date"),
}


class SenderGone(Exception):
    """The client sent less than it announced."""


class SenderSlow(Exception):
    """The client took too long to send what it announced."""


class Sender:
    """The client whose body a request is, as far as it has not been read."""

    def __init__(self, environ: WSGIEnvironment, length: int) -> None:
        self._read: Callable[[int], bytes] = environ["wsgi.input"].read
        self._socket: socket.socket | None = environ.get("gunicorn.socket")
        self._left = length

    def receive(self, write: Callable[[bytes], object], *, seconds: float) -> None:
        """Reads the rest of the body, in pieces. Raises SenderGone, or SenderSlow after `seconds` in all."""
        until = time.monotonic() + seconds
        with self._cut_off_after(seconds):
            while self._left:
                try:
                    piece = self._read(min(PIECE, self._left))
                except OSError as error:
                    raise SenderGone from error
                self._left -= len(piece)
                if self._left and time.monotonic() >= until:
                    raise SenderSlow
                if not piece:
                    raise SenderGone
                write(piece)

    def drain(self, *, seconds: float) -> None:
        """Reads and forgets what still comes within `seconds`."""
        with contextlib.suppress(SenderGone, SenderSlow):
            self.receive(len, seconds=seconds)

    @contextlib.contextmanager
    def _cut_off_after(self, seconds: float) -> Iterator[None]:
        """Ends a read that waits: one piece can come byte by byte. The client can still be answered."""
        if self._socket is None or not self._left:
            yield
            return
        timer = threading.Timer(seconds, _stop_reading, [self._socket])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _stop_reading(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


@dataclass(frozen=True)
class _Answer:
    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Gateway:
    """A WSGI application that passes predictions on to `url`, and all else to `application`."""

    def __init__(self, application: WSGIApplication, *, url: str, most: int, at_once: int) -> None:
        """`most` is the largest body passed on, in bytes; what is larger is `application`'s to refuse.

        `at_once` is how many requests are passed on at a time. The process needs more threads than that: each waits
        for its answer, and all else would wait with them.
        """
        self._application = application
        self._server = urlsplit(url).netloc
        self._most = most
        self._free = threading.BoundedSemaphore(at_once)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = declared_length(environ, most=self._most)
        forwards = self._server and environ["REQUEST_METHOD"] == "POST" and ADDRESSES.fullmatch(environ["PATH_INFO"])
        if not forwards or length is None:
            return self._application(environ, start_response)
        sender = Sender(environ, length)
        if self._free.acquire(blocking=False):
            try:
                answer = self._answer(environ, sender, length)
            finally:
                self._free.release()
        else:
            sender.drain(seconds=DRAIN_SECONDS)
            answer = _busy()
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _answer(self, environ: WSGIEnvironment, sender: Sender, length: int) -> _Answer:
        try:
            with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as body:
                sender.receive(body.write, seconds=BODY_SECONDS)
                body.seek(0)
                return self._forward(environ, body, length)
        except SenderGone:
            return _problem(400, "validation_failed", "The input is not valid", "The body ended too early.")
        except SenderSlow:
            detail = f"The body did not come within {BODY_SECONDS} seconds."
            return _problem(408, "request_timeout", "The request took too long to come", detail)
        except (OSError, http.client.HTTPException) as error:
            logger.warning("no answer from the prediction process: %r", error)
            detail = "The prediction process does not answer."
            return _problem(
                503, "prediction_unavailable", "Predictions are not served now", detail, retry_after=RETRY_SECONDS
            )

    def _forward(self, environ: WSGIEnvironment, body: IO[bytes], length: int) -> _Answer:
        connection = http.client.HTTPConnection(self._server, timeout=CONNECT_SECONDS)
        until = time.monotonic() + ANSWER_SECONDS
        try:
            connection.connect()
            connection.sock.settimeout(ANSWER_SECONDS)
            target = environ["PATH_INFO"]
            if environ.get("QUERY_STRING"):
                target += "?" + quote(environ["QUERY_STRING"], safe="!$&'()*+,;=:@/?%-._~[]")
            connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
            for name, value in _headers(environ):
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            # A refusal may come before all is sent, and end the connection: it is still there to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while piece := body.read(PIECE):
                    connection.sock.settimeout(max(0.01, until - time.monotonic()))
                    connection.send(piece)
            connection.sock.settimeout(max(0.01, until - time.monotonic()))
            return _received(connection.getresponse())
        finally:
            connection.close()


def declared_length(environ: WSGIEnvironment, *, most: int) -> int | None:
    """The bytes that a request says its body has; None where it says nonsense, or more than `most`."""
    text = environ.get("CONTENT_LENGTH") or "0"
    fits = text.isascii() and text.isdecimal() and len(text) <= 15 and int(text) <= most
    return int(text) if fits else None


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    own = _of_one_connection(environ.get("HTTP_CONNECTION", ""))
    if environ.get("CONTENT_TYPE") and "content-type" not in own:
        yield "Content-Type", environ["CONTENT_TYPE"]
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-").title()
        if key.startswith("HTTP_") and name.lower() not in own:
            yield name, value


def _of_one_connection(named: str) -> set[str]:
    """Names of headers that end here: those that always do, and those that `Connection` names."""
    return _NOT_PASSED_ON | {name.strip().lower() for name in named.split(",")}


def _received(response: http.client.HTTPResponse) -> _Answer:
    body = response.read(MOST_ANSWER_BYTES + 1)
    if len(body) > MOST_ANSWER_BYTES:
        raise http.client.HTTPException("the answer is too long")
    if response.length:  # what is still to come, and does not
        raise http.client.IncompleteRead(body, response.length)
    own = _of_one_connection(response.getheader("Connection", ""))
    headers = [(name, value) for name, value in response.getheaders() if name.lower() not in own]
    return _Answer(f"{response.status} {response.reason}", [*headers, ("Content-Length", str(len(body)))], body)


def _busy() -> _Answer:
    detail = "As many predictions are waited for as may be at a time."
    return _problem(503, "predictions_busy", "Too much to do", detail, retry_after=BUSY_SECONDS)


def _problem(status: int, code: str, title: str, detail: str, *, retry_after: int = 0) -> _Answer:
    hint = "Try again in a few seconds." if retry_after else "Send it again."
    document: dict[str, Any] = problems.document(status, code=code, title=title, detail=detail, hint=hint)
    body = json.dumps(document).encode()
    headers = {
        "Content-Type": problems.CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "X-Request-Id": uuid.uuid4().hex,
    }
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    return _Answer(f"{status} {http.client.responses[status]}", list(headers.items()), body)
