"""`/healthz` and `/readyz`: the process is up; its parts answer."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tenants import s3
from workers.domain import registry
from workers.models import Dispatcher


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that nobody answers at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def answer(client: Client, address: str = "/readyz") -> tuple[int, dict[str, Any]]:
    said = client.get(address)
    return said.status_code, said.json()


def test_all_well(database: str, client: Client) -> None:
    assert answer(client) == (
        200,
        {"database": "ok", "broker": "ok", "storage": "ok", "dispatcher": "down", "workers": 0},
    )


def test_dispatcher_and_workers_are_told(database: str, client: Client) -> None:
    Dispatcher.objects.create(seen_at=timezone.now())
    registry.enter(name="w1", pool="cpu", slots=2)
    drained = registry.enter(name="w2", pool="cpu", slots=2)
    registry.drain(worker_id=drained)
    status, body = answer(client)

    assert (status, body["dispatcher"], body["workers"]) == (200, "ok", 1)


def test_a_dispatcher_not_seen_for_long_is_down(database: str, client: Client) -> None:
    Dispatcher.objects.create(seen_at=timezone.now() - timedelta(minutes=5))

    assert answer(client)[1]["dispatcher"] == "down"


def test_without_the_database(database: str, client: Client, closed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", str(closed))

    assert answer(client) == (503, {"database": "down", "broker": "ok", "storage": "ok"})


def test_without_the_broker(database: str, client: Client, closed: int, settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{closed}/0"
    status, body = answer(client)

    assert (status, body["broker"]) == (503, "down")
    assert (body["database"], body["storage"]) == ("ok", "ok")


def test_with_a_wrong_password_of_the_broker(database: str, client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://:wrong@" + settings.REDIS_URL.rpartition("@")[2].removeprefix("redis://")

    assert answer(client)[1]["broker"] == "down"


def test_without_storage(database: str, client: Client, closed: int, settings: Any) -> None:
    settings.S3_ENDPOINT_URL = f"http://127.0.0.1:{closed}"
    status, body = answer(client)

    assert (status, body["storage"]) == (503, "down")
    assert (body["database"], body["broker"]) == ("ok", "ok")


def test_with_an_identity_that_storage_does_not_know(
    database: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    s3.impatient_client.cache_clear()

    assert answer(client)[1]["storage"] == "down"


def test_with_nothing_at_all_the_process_is_still_up(
    database: str, client: Client, closed: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", str(closed))
    settings.REDIS_URL = f"redis://127.0.0.1:{closed}/0"
    settings.S3_ENDPOINT_URL = f"http://127.0.0.1:{closed}"

    assert answer(client, "/healthz") == (200, {"status": "ok"})
    assert answer(client) == (503, {"database": "down", "broker": "down", "storage": "down"})


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("part", ["broker", "storage"])
def test_a_part_that_hangs_is_down_within_seconds(
    part: str, database: str, client: Client, silent: int, settings: Any
) -> None:
    if part == "broker":
        settings.REDIS_URL = f"redis://127.0.0.1:{silent}/0"
    else:
        settings.S3_ENDPOINT_URL = f"http://127.0.0.1:{silent}"
    began = time.monotonic()
    status, body = answer(client)

    assert (status, body[part]) == (503, "down")
    assert time.monotonic() - began < 8


def test_nothing_secret_is_told(database: str, client: Client, closed: int, settings: Any) -> None:
    settings.REDIS_URL = f"redis://:hunter2@127.0.0.1:{closed}/0"
    said = client.get("/readyz").content

    assert b"hunter2" not in said
    assert str(closed).encode() not in said


def test_the_prediction_process_is_told_where_one_is_named(
    database: str, client: Client, closed: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.impatient_client.cache_clear()  # another test's has a wrong identity
    settings.ALLOWED_HOSTS = ["*", ".inspection.example", "testserver"]
    settings.PREDICT_URL = f"http://127.0.0.1:{closed}"
    status, body = answer(client)
    assert (status, body["predictions"]) == (200, "down")

    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed}")  # for others: S3's client is made already
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.handle_request).start()
        settings.PREDICT_URL = f"http://127.0.0.1:{server.server_address[1]}"
        assert answer(client)[1]["predictions"] == "ok"

    settings.SERVES_PREDICTIONS = True  # it does not ask itself
    assert "predictions" not in answer(client)[1]


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_known = (self.path, self.headers["Host"]) == ("/healthz", "inspection.example")
        self.send_response(200 if is_known else 400)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.mark.parametrize(
    "said", [b"", b"nonsense", b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200]
)
def test_a_strange_answer_of_the_prediction_process_is_none(
    said: bytes, database: str, client: Client, settings: Any
) -> None:
    s3.impatient_client.cache_clear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.PREDICT_URL = f"http://127.0.0.1:{server.getsockname()[1]}"
        thread = Thread(target=_say, args=(server, said))
        thread.start()
        status, body = answer(client)
        thread.join()

    assert (status, body["predictions"]) == (200, "down")


def _say(server: socket.socket, said: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(said)


def test_an_address_that_is_none(database: str, client: Client, settings: Any) -> None:
    s3.impatient_client.cache_clear()
    settings.PREDICT_URL = "http://127.0.0.1:port"

    assert answer(client)[1]["predictions"] == "down"
