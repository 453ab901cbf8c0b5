"""A load generator: threads with one kept connection each, every answer checked."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    key: str
    body: bytes = b""
    expect: tuple[int, ...] = (200,)
    content_type: str = "application/json"
    # What the Authorization header calls the key.
    scheme: str = "Bearer"


class Client:
    """One kept HTTP connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def open(self) -> None:
        """Connects now, so that the first request does not count it."""
        self._connection.connect()

    def send(self, request: Request) -> Any:
        """The JSON answer. Raises RuntimeError on a status that was not expected."""
        headers = {"Authorization": f"{request.scheme} {request.key}", "Content-Type": request.content_type}
        self._connection.request(request.method, request.path, request.body or None, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status not in request.expect:
            raise RuntimeError(f"{request.method} {request.path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Measured:
    """Seconds each request took, and how many requests a second passed in all."""

    seconds: list[float]
    rate: float

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def drive(url: str, *, requests: Sequence[Request], threads: int) -> Measured:
    """Sends all requests, each thread its share, and raises the first error any of them met."""
    took: list[float] = []
    errors: list[BaseException] = []

    def work(share: Sequence[Request]) -> None:
        client = Client(url)
        try:
            for request in share:
                started = time.perf_counter()
                client.send(request)
                took.append(time.perf_counter() - started)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            errors.append(error)
        finally:
            client.close()

    began = time.perf_counter()
    _run([lambda share=requests[index::threads]: work(share) for index in range(threads)])
    if errors:
        raise errors[0]
    return Measured(seconds=took, rate=len(took) / (time.perf_counter() - began))


def _run(works: Sequence[Callable[[], None]]) -> None:
    running = [threading.Thread(target=work) for work in works]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
