"""The same requests to two servers in turns, one at a time, so that whatever the machine does meanwhile meets both."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.load import Client
from tests.benchmarks.main_requests import MAIN, Make, drawn
from tests.benchmarks.population import Resident
from tests.benchmarks.stack import Stack

# Requests of one kind that go to each server in a row, in turns; then their connections are opened anew, because a
# kept one stays with one of the server's processes.
BLOCK = 10
RESAMPLES = 1000
# Kinds whose list has less than 20 rows, and how many.
SHORT_LISTS = {"members": 1, "keys": 1, "annotations": 1}


@dataclass(frozen=True)
class Side:
    """A server, and the tenants that ask it."""

    stack: Stack
    residents: Sequence[Resident]


@dataclass(frozen=True)
class Compared:
    """Milliseconds of one kind of request at the one side and at the other, request by request."""

    few: NDArray[np.float64]
    many: NDArray[np.float64]

    def percentiles(self, share: float) -> tuple[float, float]:
        return float(np.quantile(self.few, share)), float(np.quantile(self.many, share))

    def ratio(self, share: float) -> float:
        """Of the percentile: the other side's over the one's."""
        few, many = self.percentiles(share)
        return many / few

    def interval(self, share: float) -> tuple[float, float]:
        """Of that ratio, 95 %: by drawing the requests again, pair by pair, since neighbors met the same machine."""
        chance = np.random.default_rng(0)
        picked = chance.integers(0, len(self.few), size=(RESAMPLES, len(self.few)))
        few, many = (np.quantile(side[picked], share, axis=1) for side in (self.few, self.many))
        low, high = np.quantile(many / few, [0.025, 0.975])
        return float(low), float(high)


def prove(side: Side) -> None:
    """Sends each kind once and looks at the answer: what is measured must be what its name says.

    Raises RuntimeError.
    """
    client = Client(side.stack.url)
    for name, make in MAIN.items():
        answer = client.send(make(side.residents[-1], random.Random(0)))
        if not _is_what_it_says(name, answer):
            raise RuntimeError(f"{name!r} answered {str(answer)[:300]}")
    client.close()


def _is_what_it_says(name: str, answer: Any) -> bool:
    results = answer.get("results")
    if name == "annotate":
        return [line["status"] for line in results] == ["CREATED"]
    if name == "register 100":
        return [line["status"] for line in results] == ["AWAITING"] * 100
    return results is None or len(results) == SHORT_LISTS.get(name, 20)


def compare(few: Side, many: Side, *, requests: int) -> dict[str, Compared]:
    """Each kind of the main requests, so many times at each side, after a tenth as many to warm up."""
    chance = random.Random(0)
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in MAIN}
    blocks = max(requests // BLOCK, 1)
    for turn in range(-max(blocks // 10, 1), blocks):
        for name in chance.sample(sorted(MAIN), len(MAIN)):
            measured = _pairs((few, many), MAIN[name], chance)
            if turn >= 0:
                for side, seconds in zip(took[name], measured, strict=True):
                    side.extend(seconds)
    return {name: Compared(*(1000 * np.array(side) for side in sides)) for name, sides in took.items()}


def _pairs(sides: tuple[Side, Side], make: Make, chance: random.Random) -> tuple[list[float], list[float]]:
    """Seconds of a block at both sides, request by request; who is first is drawn by chance."""
    took: tuple[list[float], list[float]] = ([], [])
    clients = [Client(side.stack.url) for side in sides]
    for client in clients:
        client.open()
    asked = [drawn(make, side.residents, count=BLOCK, chance=chance) for side in sides]
    for place in range(BLOCK):
        for which in chance.sample((0, 1), 2):
            began = time.perf_counter()
            clients[which].send(asked[which][place])
            took[which].append(time.perf_counter() - began)
    for client in clients:
        client.close()
    return took
