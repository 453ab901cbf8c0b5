"""Hands the two predict addresses from the web to the process that serves predictions, and its answers back.

For stacks without an ingress that knows both. What is forwarded is only ever a POST to one of the two addresses, to the
one server that the settings name; who may ask is decided there, by the same code as here. Bodies are passed on in
pieces, so that a photograph is not held twice.
"""

import http.client
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tenants.api import problems

logger = logging.getLogger(__name__)

ADDRESSES = re.compile(r"/api/v1/(?:models|projects)/[0-9a-f-]{36}/predict")
PIECE = 64 * 1024
# Seconds: a process of the same stack answers a connection at once, a prediction may wait for its turn.
CONNECT_SECONDS = 2
ANSWER_SECONDS = 50
MOST_ANSWER_BYTES = 4 * 1024 * 1024
RETRY_SECONDS = 5
# Of one connection only (RFC 9110 §7.6.1), or the server's own affair.
_NOT_PASSED_ON = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade", "expect", "content-length", "server", "date"),
}


class SenderGone(Exception):
    """The client sent less than it announced."""


@dataclass(frozen=True)
class _Answer:
    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Gateway:
    """A WSGI application that passes predictions on to `url`, and all else to `application`."""

    def __init__(self, application: WSGIApplication, *, url: str, most: int) -> None:
        """`most` is the largest body passed on, in bytes; what is larger is `application`'s to refuse."""
        self._application = application
        self._server = urlsplit(url).netloc
        self._most = most

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        fits = length.isdecimal() and len(length) <= 15 and int(length) <= self._most
        forwards = self._server and environ["REQUEST_METHOD"] == "POST" and ADDRESSES.fullmatch(environ["PATH_INFO"])
        if not (forwards and fits):
            return self._application(environ, start_response)
        try:
            answer = self._forward(environ, int(length))
        except SenderGone:
            answer = _problem(400, "validation_failed", "The input is not valid", "The body ended too early.")
        except (OSError, http.client.HTTPException) as error:
            logger.warning("the prediction process does not answer: %s", type(error).__name__)
            detail = "The prediction process does not answer."
            answer = _problem(503, "prediction_unavailable", "Predictions are not served now", detail)
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _forward(self, environ: WSGIEnvironment, length: int) -> _Answer:
        connection = http.client.HTTPConnection(self._server, timeout=CONNECT_SECONDS)
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
            for piece in _pieces(environ["wsgi.input"].read, length):
                connection.send(piece)
            return _received(connection.getresponse())
        finally:
            connection.close()


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    if environ.get("CONTENT_TYPE"):
        yield "Content-Type", environ["CONTENT_TYPE"]
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-").title()
        if key.startswith("HTTP_") and name.lower() not in _NOT_PASSED_ON:
            yield name, value


def _pieces(read: Callable[[int], bytes], length: int) -> Iterator[bytes]:
    while length:
        piece = read(min(PIECE, length))
        if not piece:
            raise SenderGone
        length -= len(piece)
        yield piece


def _received(response: http.client.HTTPResponse) -> _Answer:
    body = response.read(MOST_ANSWER_BYTES + 1)
    if len(body) > MOST_ANSWER_BYTES:
        raise http.client.HTTPException("the answer is too long")
    if response.length:  # what is still to come, and does not
        raise http.client.IncompleteRead(body, response.length)
    headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _NOT_PASSED_ON]
    return _Answer(f"{response.status} {response.reason}", [*headers, ("Content-Length", str(len(body)))], body)


def _problem(status: int, code: str, title: str, detail: str) -> _Answer:
    hint = "Try again in a few seconds." if status == 503 else "Send it again."
    document: dict[str, Any] = problems.document(status, code=code, title=title, detail=detail, hint=hint)
    body = json.dumps(document).encode()
    headers = {
        "Content-Type": problems.CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "X-Request-Id": uuid.uuid4().hex,
    }
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return _Answer(f"{status} {http.client.responses[status]}", list(headers.items()), body)
