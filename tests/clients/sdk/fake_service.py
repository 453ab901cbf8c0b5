"""A small HTTP server that keeps the contract of the API and of S3 forms, over real sockets.

It holds what it is sent, and can be told to misbehave: see `FakeService.fail`.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.clients.sdk.fake_tenant import FakeTenant
from tests.clients.sdk.fake_things import Problem

# Unlike anything else, so that a test can look for it wherever it must not be.
KEY = "myr_canary00_N3verPrintTh1s"
ANONYMOUS = "/api/v1/invitations/accept"


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Fault:
    """What to answer instead, to so many requests that match."""

    method: str
    pattern: str
    status: int | None  # None: hang up without an answer
    body: bytes
    headers: Mapping[str, str]
    times: int
    after: int


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class FakeService:
    """The server and what it has seen; `tenant` is the state behind it."""

    def __init__(self) -> None:
        service = self

        class Handler(_Handler):
            fake = service

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.tenant = FakeTenant(self.url)
        self.received: list[Received] = []
        self._faults: list[Fault] = []
        self._answered: dict[str, tuple[bytes, Answer]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator["FakeService"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def fail(
        self,
        method: str,
        pattern: str,
        status: int | None,
        body: object = b"",
        *,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        after: int = 0,
    ) -> None:
        """Answer `status` to `times` requests whose path matches, but not to the first `after`; None hangs up."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._faults.append(Fault(method, pattern, status, raw, headers or {}, times, after))

    def recover(self) -> None:
        """Misbehave no more."""
        self._faults.clear()

    def requests(self, method: str, pattern: str) -> list[Received]:
        """The requests that came in, in order, by method and whole path."""
        return [one for one in self.received if one.method == method and re.fullmatch(pattern, one.path)]

    def answer(self, request: Received) -> Answer | None:
        with self._lock:
            self.received.append(request)
            for fault in self._faults:
                if not (fault.times and fault.method == request.method and re.fullmatch(fault.pattern, request.path)):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return None if fault.status is None else Answer(fault.status, fault.body, dict(fault.headers))
            if request.path.startswith("/s3/"):
                return Answer(*self.tenant.storage.answer(request))
            return self._api(request)

    def _api(self, request: Received) -> Answer:
        authorization = request.headers.get("Authorization")
        if request.path != ANONYMOUS and authorization != f"Bearer {KEY}":
            return _problem(Problem(401, "not_authenticated", "No valid credentials.", "Send a key."))
        key = request.headers.get("Idempotency-Key")
        if key in self._answered:
            body, answered = self._answered[key]
            assert body == request.body
            return Answer(answered.status, answered.body, answered.headers | {"Idempotency-Replayed": "true"})
        try:
            status, document, headers = self.tenant.answer(request)
        except Problem as problem:
            return _problem(problem)
        answer = Answer(status, b"" if document is None else json.dumps(document).encode(), headers)
        if request.method == "POST":
            assert key, "a POST without Idempotency-Key"
            self._answered[key] = (request.body, answer)
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakeService

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def handle(self) -> None:
        # A client that was interrupted hangs up; that is its right.
        with suppress(ConnectionError):
            super().handle()

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        address = urlsplit(self.path)
        request = Received(
            method=self.command,
            path=address.path,
            query=parse_qs(address.query),
            headers=dict(self.headers.items()),
            body=body,
        )
        answer = self.fake.answer(request)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {**answer.headers, "X-Request-Id": f"req-{len(self.fake.received)}"}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it overrides
        """Say nothing."""


def _problem(problem: Problem) -> Answer:
    body = json.dumps(problem.document).encode()
    return Answer(problem.document["status"], body, {"Content-Type": "application/problem+json"})
