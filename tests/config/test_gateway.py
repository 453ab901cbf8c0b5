"""The web's gateway: the predict addresses go to the process that serves predictions, all else stays."""

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from config import gateway
from config.gateway import Gateway

# Fixed: test processes must agree on what their tests are called.
MODEL = "/api/v1/models/0b9a4c3e-6f0d-4d0e-9a43-0c7d2f4f8b11/predict"
PROJECT = "/api/v1/projects/2f1c7a58-93f1-4f3b-8f27-5d1f0f2a6c22/predict"
# What the script of a model's page asks.
PAGE = "/t/acme-casings/api/models/0b9a4c3e-6f0d-4d0e-9a43-0c7d2f4f8b11/predict"
ANSWER = b'{"predictions":[]}'
Found = tuple[str, dict[str, str], bytes]


class Upstream(ThreadingHTTPServer):
    """Stands in for the prediction process: notes what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answer = ANSWER
        self.more_headers: dict[str, str] = {}
        self.wait = threading.Event()
        self.wait.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.server.wait.wait(10)
        self.send_response(422)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("X-Request-Id", "theirs")
        self.send_header("Keep-Alive", "timeout=15")
        for name, value in self.server.more_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.wait.set()
    server.shutdown()
    thread.join()
    server.server_close()


def local(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The web's own application."""
    start_response("200 OK", [])
    return [b"local"]


def ask(url: str, path: str, body: bytes = b"", method: str = "POST", **more: Any) -> Found:
    """What a client gets: status, headers, body."""
    return ask_of(Gateway(local, url=url, most=1_000_000, at_once=2), path, body, method, **more)


def ask_of(application: Gateway, path: str, body: bytes = b"", method: str = "POST", **more: Any) -> Found:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    environ |= more
    setup_testing_defaults(environ)
    said: list[Any] = []
    found = application(environ, lambda *given: said.extend(given))
    return said[0], dict(said[1]), b"".join(found)


@pytest.mark.parametrize("path", [MODEL, PROJECT, PAGE])
def test_the_addresses_are_passed_on_whole(path: str, upstream: Upstream) -> None:
    body = bytes(range(256)) * 3000  # several pieces
    status, headers, answer = ask(
        upstream.url,
        path,
        body,
        QUERY_STRING="threshold=0.5",
        CONTENT_TYPE="image/png",
        HTTP_HOST="myriad.example",
        HTTP_AUTHORIZATION="Bearer myr_x",
        HTTP_IDEMPOTENCY_KEY="once",
        HTTP_X_REQUEST_ID="mine",
        HTTP_CONNECTION="upgrade",
        HTTP_EXPECT="100-continue",
        HTTP_TRANSFER_ENCODING="gzip",
    )
    ((target, given, received),) = upstream.got
    assert (target, received == body) == (f"{path}?threshold=0.5", True)
    assert given == {
        "Host": "myriad.example",
        "Authorization": "Bearer myr_x",
        "Idempotency-Key": "once",
        "X-Request-Id": "mine",
        "Content-Type": "image/png",
        "Content-Length": str(len(body)),
    }
    assert (status, answer) == ("422 Unprocessable Entity", ANSWER)
    assert headers == {
        "Content-Type": "application/problem+json",
        "X-Request-Id": "theirs",
        "Content-Length": str(len(ANSWER)),
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", MODEL),
        ("DELETE", MODEL),
        ("POST", f"{MODEL}/"),
        ("POST", f"{MODEL}\n"),
        ("POST", MODEL.replace("models", "images")),
        ("POST", f"/api/v1/models/{'x' * 36}/predict"),
        ("POST", "/api/v1/models/../../predict"),
        ("POST", "/api/v1/projects"),
        ("POST", f"/x{MODEL}"),
        ("GET", PAGE),
        ("POST", PAGE.replace("models", "projects")),
        ("POST", PAGE.replace("acme-casings", "acme/casings")),
        ("POST", PAGE.replace("acme-casings", "")),
        ("POST", PAGE.replace("/api", "")),
        ("POST", PAGE.replace("/t/", "/x/")),
    ],
)
def test_nothing_else_is(method: str, path: str, upstream: Upstream) -> None:
    assert ask(upstream.url, path, method=method)[2] == b"local"
    assert upstream.got == []


def test_what_is_too_large_or_says_no_length_is_the_webs_to_refuse(upstream: Upstream) -> None:
    assert ask(upstream.url, MODEL, bytes(1_000_001))[2] == b"local"
    for length in ("-1", "x", "9" * 16, "1e3"):
        assert ask(upstream.url, MODEL, CONTENT_LENGTH=length)[2] == b"local"
    assert upstream.got == []
    assert ask(upstream.url, MODEL, bytes(1_000_000))[2] == ANSWER


def test_without_an_address_everything_stays() -> None:
    assert ask("", MODEL)[2] == b"local"


def test_a_query_cannot_break_the_request_line(upstream: Upstream) -> None:
    ask(upstream.url, MODEL, QUERY_STRING="a=b c\r\nX-Evil: 1\u00e9")
    ((target, given, _),) = upstream.got
    assert target == f"{MODEL}?a=b%20c%0D%0AX-Evil:%201%C3%A9"
    assert "X-Evil" not in given


def problem(found: Found) -> tuple[str, str]:
    status, headers, body = found
    document = json.loads(body)
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Content-Length"] == str(len(body))
    assert headers["X-Request-Id"]
    assert document["hint"]
    assert document["status"] == int(status[:3])
    return status, document["code"]


def test_a_process_that_is_away(upstream: Upstream) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        found = ask(f"http://127.0.0.1:{taken.getsockname()[1]}", MODEL, b"x")
    assert problem(found) == ("503 Service Unavailable", "prediction_unavailable")
    assert found[1]["Retry-After"] == "5"


def test_a_process_that_hangs(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "ANSWER_SECONDS", 0.2)
    upstream.wait.clear()
    began = time.monotonic()
    assert problem(ask(upstream.url, MODEL, b"x"))[0].startswith("503")
    assert time.monotonic() - began < 5


def test_a_process_that_dies_or_talks_nonsense() -> None:
    for said in (b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=_talk, args=(server, said))
            thread.start()
            found = ask(f"http://127.0.0.1:{server.getsockname()[1]}", MODEL, b"x")
            thread.join()
        assert problem(found)[0].startswith("503"), said


def _talk(server: socket.socket, said: bytes) -> None:
    """Answers without reading on, as who refuses early does; what was not read makes it a reset."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(said)


def test_an_answer_without_end_is_not_held(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "MOST_ANSWER_BYTES", 10)
    assert problem(ask(upstream.url, MODEL, b"x"))[0].startswith("503")


def test_a_client_that_sends_less_than_it_said(upstream: Upstream) -> None:
    found = ask(upstream.url, MODEL, CONTENT_LENGTH="10", **{"wsgi.input": io.BytesIO(b"12345")})
    assert problem(found) == ("400 Bad Request", "validation_failed")


def test_a_refusal_that_comes_before_all_is_sent() -> None:
    """The process answers and closes while the body is still on its way."""
    said = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nkey?"
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_talk, args=(server, said))
        thread.start()
        asked = Gateway(local, url=f"http://127.0.0.1:{server.getsockname()[1]}", most=20_000_000, at_once=1)
        found = ask_of(asked, MODEL, bytes(20_000_000))
        thread.join()
    assert (found[0], found[2]) == ("401 Unauthorized", b"key?")


class Broken(io.BytesIO):
    def read(self, *_: Any) -> bytes:
        raise ConnectionResetError


def test_a_client_that_goes_away_is_not_the_processes_fault(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    found = ask(upstream.url, MODEL, CONTENT_LENGTH="10", **{"wsgi.input": Broken()})
    assert problem(found) == ("400 Bad Request", "validation_failed")
    assert (upstream.got, caplog.records) == ([], [])


@pytest.fixture
def trickle() -> Iterator[socket.socket]:
    """A client that sends a byte every 20 ms."""
    ours, theirs = socket.socketpair()
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.02):
            theirs.send(b"x")

    thread = threading.Thread(target=send)
    thread.start()
    yield ours
    ended.set()
    thread.join()
    ours.close()
    theirs.close()


def test_a_body_that_comes_too_slowly(
    upstream: Upstream, trickle: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "BODY_SECONDS", 0.3)
    began = time.monotonic()
    with trickle.makefile("rb") as body:  # reads until it has a whole piece, as gunicorn does
        found = ask(upstream.url, MODEL, CONTENT_LENGTH="500000", **{"wsgi.input": body, "gunicorn.socket": trickle})
    assert problem(found) == ("408 Request Timeout", "request_timeout")
    assert time.monotonic() - began < 3
    assert upstream.got == []


def test_no_more_wait_for_answers_than_may(upstream: Upstream) -> None:
    """What else is asked of the web is answered meanwhile, and a prediction too many at once."""
    web = Gateway(local, url=upstream.url, most=1_000_000, at_once=2)
    upstream.wait.clear()
    waiting = [threading.Thread(target=ask_of, args=(web, MODEL, b"x")) for _ in range(2)]
    for thread in waiting:
        thread.start()
    while len(upstream.got) < 2:
        time.sleep(0.01)
    began, body = time.monotonic(), io.BytesIO(bytes(900_000))
    found = ask_of(web, MODEL, CONTENT_LENGTH="900000", **{"wsgi.input": body})
    assert problem(found) == ("503 Service Unavailable", "predictions_busy")
    assert found[1]["Retry-After"] == "2"
    assert body.read() == b""  # or the client, still sending, would not see the answer
    assert ask_of(web, "/api/v1/projects")[2] == b"local"
    assert time.monotonic() - began < 1

    upstream.wait.set()
    for thread in waiting:
        thread.join()
    for _ in range(3):  # failures give their place back too
        assert ask_of(web, MODEL, CONTENT_LENGTH="5")[0].startswith("400")
    assert ask_of(web, MODEL, b"x")[2] == ANSWER


def test_headers_of_one_connection_end_there(upstream: Upstream) -> None:
    upstream.more_headers = {"Connection": "X-Inner, close", "X-Inner": "1", "X-Outer": "2"}
    more = {"HTTP_CONNECTION": "keep-alive, x-hop ,", "HTTP_X_HOP": "1", "HTTP_X_END": "2", "HTTP_HOST": "a"}
    _, headers, _ = ask(upstream.url, MODEL, b"x", **more)
    ((_, given, _),) = upstream.got
    assert given == {"Host": "a", "X-End": "2", "Content-Length": "1"}
    assert set(headers) == {"Content-Type", "X-Request-Id", "X-Outer", "Content-Length"}
