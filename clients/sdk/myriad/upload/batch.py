"""One batch of files: ask for forms, send, say that they have arrived; again for those that did not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from myriad.errors import Unavailable, UnexpectedAnswer
from myriad.transport import Transport, path_of
from myriad.upload.files import LocalFile
from myriad.upload.ledger import Ledger
from myriad.upload.report import Outcome
from myriad.upload.stopping import Stop
from myriad.upload.storage import FileChanged, FormExpired, Storage, StorageAway, StorageRefused

# How often the server is asked for forms for the same file: once, and again when a form has expired or the
# server does not see the bytes.
ROUNDS = 3


@dataclass(frozen=True)
class Item:
    """A file ready to be asked for: its place in the ledger and what the API is told of it."""

    place: int
    file: LocalFile
    body: Mapping[str, Any]


@dataclass(frozen=True)
class _Order:
    """What the API answered for a file that it wants: the image's id and how to send the bytes."""

    item: Item
    image: str
    upload: Mapping[str, Any]


class Outage:
    """Tells files that fail one by one from a storage that is away: so many in a row with none between that passed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_a_row = 0
        self._lock = threading.Lock()

    def passed(self) -> None:
        with self._lock:
            self._in_a_row = 0

    def failed(self, error: StorageAway) -> None:
        """Count a failure; raise `Unavailable` when it is no longer about single files."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row < self._limit:
                return
        raise Unavailable(
            str(error),
            code="storage_unreachable",
            hint="Photographs go straight to the storage: let this computer reach it, then upload again.",
        ) from None


@dataclass(frozen=True)
class Batch:
    """Sends up to 100 files; see `run`.

    Batches ask for forms one after another: `turn` is when this one may, `asked` when the next may. So the first
    files go out early, and in order, and the server signs for one batch at a time.
    """

    project: str
    items: Sequence[Item]
    transport: Transport
    storage: Storage
    senders: Executor
    ledger: Ledger
    outage: Outage
    stop: Stop
    turn: threading.Event
    asked: threading.Event

    def run(self) -> None:
        """Bring every file of the batch to its end, in the ledger.

        Raises `MyriadError` for what concerns all files (the key, the project, the service), `Stopped` if
        told to.
        """
        self.turn.wait()
        waiting: list[Item] = list(self.items)
        for _ in range(ROUNDS):
            if not waiting:
                return
            arrived, again = self._send(self._ask(waiting))
            waiting = again + self._complete(arrived)
        for item in waiting:
            self._fail(item, "not_stored", "The storage did not accept the file.", "Upload the same folder again.")

    def _ask(self, items: Sequence[Item]) -> list[_Order]:
        """Ask for forms; settle what need not or must not be sent, and give the rest."""
        path = path_of("projects", self.project, "uploads")
        reply = self.transport.post(path, {"files": [item.body for item in items]}, pause=self.stop.pause)
        results = _results(reply.document)
        if len(results) != len(items):
            raise UnexpectedAnswer("The server did not answer for every file.", request_id=reply.request_id)
        orders = []
        for item, result in zip(items, results, strict=True):
            if error := result.get("error"):
                self.ledger.settle(item.place, Outcome.REJECTED, image=result.get("image"), error=error)
            elif upload := result.get("upload"):
                orders.append(_Order(item, str(result["image"]), upload))
            else:
                ready = result.get("status") == "READY"
                self.ledger.settle(item.place, Outcome.DUPLICATE, image=str(result["image"]), ready=ready)
        return orders

    def _send(self, orders: Sequence[_Order]) -> tuple[list[_Order], list[Item]]:
        """Send the files; give those that went through and those that need another form; settle the others."""
        under_way = [(order, [self.senders.submit(task) for task in self._tasks(order)]) for order in orders]
        self.asked.set()
        arrived, again = [], []
        for order, futures in under_way:
            try:
                _first_trouble(futures)
            except FormExpired:
                again.append(order.item)
            except FileChanged:
                hint = "Upload it again when nothing writes to it any more."
                self._fail(order.item, "file_changed", "The file changed while it was sent.", hint)
            except StorageRefused as error:
                self._fail(order.item, error.code, error.message, "Upload it again; if it fails again, ask support.")
            except OSError as error:
                self._fail(order.item, "unreadable", error.strerror or str(error), "Check the file and its rights.")
            except StorageAway as error:
                hint = "Upload the same folder again; what is there already is not sent twice."
                self._fail(order.item, "storage_unreachable", str(error), hint)
                self.outage.failed(error)
            else:
                self.outage.passed()
                arrived.append(order)
        return arrived, again

    def _tasks(self, order: _Order) -> Iterable[Callable[[], None]]:
        upload, place, file = order.upload, order.item.place, order.item.file
        if upload["method"] == "POST":

            def whole() -> None:
                self.storage.post_form(upload, file)
                self.ledger.sent(place, 0, file.size)

            return [whole]

        def part(number: int, url: str, size: int) -> None:
            self.storage.put_part(url, file, (number - 1) * upload["part_size"], size)
            self.ledger.sent(place, number, size)

        there = set(upload.get("uploaded", ()))
        for number in there:
            self.ledger.sent(place, number, min(upload["part_size"], file.size - (number - 1) * upload["part_size"]))
        missing = [entry for entry in upload["parts"] if entry["number"] not in there]
        return [_bound(part, entry["number"], entry["url"], entry["size"]) for entry in missing]

    def _complete(self, orders: Sequence[_Order]) -> list[Item]:
        """Tell the server what has arrived; settle what it found, and give the files that it does not see."""
        if not orders:
            return []
        path = path_of("projects", self.project, "uploads", "complete")
        images = [order.image for order in orders]
        reply = self.transport.post(path, {"images": images}, pause=self.stop.pause)
        found = {str(result.get("image")): result for result in _results(reply.document)}
        self.ledger.add_jobs(str(job) for job in reply.document.get("jobs", ()))
        missing = []
        for order in orders:
            result = found.get(order.image, {})
            status, error = result.get("status"), result.get("error")
            if status in ("ARRIVED", "READY"):
                ready = status == "READY"
                self.ledger.settle(order.item.place, Outcome.UPLOADED, image=order.image, ready=ready)
            elif status in ("FAILED", "NOT_FOUND"):
                error = error or {"code": str(status).lower(), "message": "The server did not take the file."}
                self.ledger.settle(order.item.place, Outcome.REJECTED, image=order.image, error=error)
            else:
                missing.append(order.item)
        return missing

    def _fail(self, item: Item, code: str, message: str, hint: str) -> None:
        error = {"code": code, "message": message, "hint": hint}
        self.ledger.settle(item.place, Outcome.FAILED, error=error)


def _bound(send: Callable[[int, str, int], None], number: int, url: str, size: int) -> Callable[[], None]:
    return lambda: send(number, url, size)


def _first_trouble(futures: Iterable[Future[None]]) -> None:
    """Wait for all of them; then raise what the first that failed raised."""
    troubles = [trouble for future in futures if (trouble := future.exception()) is not None]
    if troubles:
        raise troubles[0]


def _results(document: Any) -> list[Mapping[str, Any]]:
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        raise UnexpectedAnswer("The server's answer has no results.", hint="Update the myriad package.")
    results: list[Mapping[str, Any]] = document["results"]
    return results
