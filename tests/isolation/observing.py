"""Asking one line of the matrix in everybody's name, and judging the answers."""

from dataclasses import dataclass, field
from typing import Any

from rest_framework.test import APIClient

from tests.isolation.rows import Row
from tests.isolation.world import Holdings, World, state_of

# Differs from request to request on purpose; everything else of an answer is compared.
VARYING_HEADERS = {"X-Request-Id", "RateLimit-Remaining", "RateLimit-Reset"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        lines = [f"{name}: {value}" for name, value in sorted(self.headers.items())]
        return "\n".join([str(self.status), *lines, self.body.decode()])

    def without(self, holdings: Holdings) -> str:
        """All of it, but for the ids that the request itself named: an answer may repeat those."""
        text = self.text
        for name, value in holdings.places():
            text = text.replace(value, f"<{name}>")
        return text


@dataclass
class Faults:
    """What is wrong with a line's answers, by who asked."""

    by_person: dict[str, list[str]] = field(default_factory=dict)
    # The other tenant's owner got a 500: our code was at a loss, and said nothing.
    broke: bool = False

    def add(self, person: str, *, when: bool, fault: str) -> None:
        if when:
            self.by_person.setdefault(person, []).append(fault)

    def __str__(self) -> str:
        return "\n".join(f"{person}: {fault}" for person, found in self.by_person.items() for fault in found)


def ask(client: APIClient, method: str, address: str, body: Any) -> Answer:
    multipart = isinstance(body, dict) and "file" in body
    given = {} if body is None else {"data": body, "format": "multipart" if multipart else "json"}
    response = getattr(client, method.lower())(address, **given)
    headers = {name: value for name, value in response.headers.items() if name not in VARYING_HEADERS}
    return Answer(response.status_code, headers, response.content)


def judge(row: Row, world: World) -> Faults:
    """Asks in everybody's name, Acme's owner last: so she proves, on the rows as the others left them, that there
    was something to be had."""
    faults, cast = Faults(), world.cast
    before = state_of(world.acme.tenant)
    _judge_stranger(row, world, faults)
    after = state_of(world.acme.tenant)
    faults.add("Charlie", when=after != before, fault="changed rows of Acme's")

    others = (("Vera", cast.vera.api, row.viewer), ("revoked", cast.revoked.api, 401), ("nobody", cast.anonymous, 401))
    for person, client, expected in others:
        answer = ask(client, *row.request(named=world.acme, own=world.acme))
        faults.add(person, when=answer.status != expected, fault=f"got {answer.status}, not {expected}")
        if expected >= 400:
            _judge_words(person, answer, world, faults)
    faults.add("Vera or no key", when=state_of(world.acme.tenant) != after, fault="changed rows of Acme's")

    answer = ask(cast.alice.api, *row.request(named=world.acme, own=world.acme))
    fault = f"got {answer.status}, not {row.owner}: {answer.body.decode()[:300]}"
    faults.add("Alice", when=answer.status != row.owner, fault=fault)
    return faults


def _judge_stranger(row: Row, world: World, faults: Faults) -> None:
    charlie, nowhere = world.cast.charlie.api, Holdings.nowhere()
    foreign = ask(charlie, *row.request(named=world.acme, own=world.bolt))
    faults.broke = foreign.status == 500
    if row.names_things:
        missing = ask(charlie, *row.request(named=nowhere, own=world.bolt))
        faults.add("Charlie", when=foreign.status != row.stranger, fault=f"got {foreign.status}, not {row.stranger}")
        same = foreign.without(world.acme) == missing.without(nowhere)
        faults.add("Charlie", when=not same, fault="can tell a foreign id from a missing one")
        faults.add("Charlie", when=row.stranger == 404 and foreign.body != missing.body, fault="not the same bytes")
    else:
        faults.add("Charlie", when=foreign.status != row.owner, fault=f"got {foreign.status}, not {row.owner}")
    _judge_words("Charlie", foreign, world, faults, named=row.request(named=world.acme, own=world.bolt))
    if row.lists:
        faults.add("Charlie", when=not _shows(foreign, getattr(world.bolt, row.lists)), fault="misses his own rows")


def _judge_words(person: str, answer: Answer, world: World, faults: Faults, *, named: Any = "") -> None:
    """Nothing of Acme's may stand in the answer, but for ids that stood in the request."""
    text, request = answer.text, str(named)
    told = sorted(mark for mark in world.marks if mark in text and mark not in request)
    faults.add(person, when=bool(told), fault=f"was told {', '.join(told[:3])} of Acme's")
    faults.add(person, when="acme" in text.lower(), fault="was told Acme's texts")


def _shows(answer: Answer, holding: Any) -> bool:
    return answer.status == 200 and f'"id":"{holding}"' in answer.body.decode()
