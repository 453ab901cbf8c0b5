"""What a client library would never send, over a socket to the real server: two keys, two hosts, two lengths."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.cast import Cast
from tests.fuzz.server import serving
from tests.heads import shared_graphs


@pytest.fixture
def address(database: str) -> Iterator[tuple[str, int]]:
    with serving(database, graphs=shared_graphs(), parts=("web",)) as (url, _):
        parts = urlsplit(url)
        yield parts.hostname or "", parts.port or 0


def statuses(address: tuple[str, int], *lines: str, body: str = "") -> list[int]:
    """Of all answers to one connection's bytes, until the server closes it."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", body]).encode("latin-1"))
        heard = b""
        while piece := connection.recv(65536):
            heard += piece
    return [int(line.split()[1]) for line in heard.split(b"\r\n") if line.startswith(b"HTTP/1.")]


def test_requests_that_mean_two_things_mean_nothing(cast: Cast, address: tuple[str, int]) -> None:
    host = f"Host: {address[0]}:{address[1]}"
    charlie, alice = (f"Authorization: Bearer {person.seat.token.text}" for person in (cast.charlie, cast.alice))
    me, post = "GET /api/v1/me HTTP/1.1", "POST /api/v1/projects HTTP/1.1"
    smuggled = f"0\r\n\r\nGET /api/v1/members HTTP/1.1\r\n{host}\r\n{alice}\r\n\r\n"

    assert statuses(address, me, host, charlie) == [200]
    assert statuses(address, me, host, charlie, alice) == [401]
    assert statuses(address, me, host, "Host: evil.example", charlie) == [400]
    assert statuses(address, me, "Host: evil.example", charlie) == [400]
    # Of a length and chunks, one is a lie; the second request hides in the first's body.
    for framing in (
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Content-Length: 4", "Content-Length: 90"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("Content-Length: +4",),
    ):
        answers = statuses(address, post, host, charlie, "Content-Type: application/json", *framing, body=smuggled)
        assert 200 not in answers, framing
        assert answers[:1] < [500], framing
    # A name with an underscore would pass for the one with a hyphen.
    assert statuses(address, me, host, alice.replace("Authorization", "authorization_"), charlie) == [200]
    assert statuses(address, me, host, f"X-Long: {'x' * 100_000}", charlie) == [431]
    assert statuses(address, "GET /api/v1/%00 HTTP/1.1", host, charlie) == [404]
    assert statuses(address, "GET http://evil.example/api/v1/me HTTP/1.1", host, charlie) in ([200], [400])
