"""Lists, which the server gives page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from myriad.answers import Answer
from myriad.errors import UnexpectedAnswer
from myriad.transport import Query, Reply, Transport

AnswerT = TypeVar("AnswerT", bound=Answer)


class Listing(Generic[AnswerT]):
    """The items of a list. Pages are fetched while it is iterated; to iterate again is to ask again."""

    def __init__(self, transport: Transport, path: str, kind: type[AnswerT], params: Query) -> None:
        self._transport = transport
        self._path = path
        self._kind = kind
        self._params = params

    def __iter__(self) -> Iterator[AnswerT]:
        params: Query | None = self._params
        while params is not None:
            reply = self._transport.get(self._path, params)
            items, params = _page(reply)
            for item in items:
                yield self._kind.from_json(item, reply.request_id)

    def first(self) -> AnswerT | None:
        """Give the first item, or None if the list is empty."""
        return next(iter(self), None)


def _page(reply: Reply) -> tuple[list[Any], Query | None]:
    document = reply.document
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        raise UnexpectedAnswer(
            "The server's answer is not a list.",
            hint="Update the myriad package.",
            request_id=reply.request_id,
        )
    following = document.get("next")
    # Only the query of the next page's address is taken: behind a proxy the server may name itself by an
    # address that does not exist out here, and the key must go nowhere but to the configured one.
    return document["results"], (parse_qs(urlsplit(following).query) or None) if following else None
