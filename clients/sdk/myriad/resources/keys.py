"""API keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from myriad.answers import Answer
from myriad.errors import MyriadError
from myriad.listing import Listing
from myriad.transport import Reply, Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Key(Answer):
    """A key by its prefix; its secret is known to nobody but whoever made it."""

    id: str
    prefix: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NewKey(Key):
    """A key just made: the one time that its `secret` is given."""

    secret: str = field(repr=False)


class Keys:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, scopes: Iterable[str] = (), expires_at: datetime | None = None) -> NewKey:
        """Make a key; without scopes the server decides them."""
        body: dict[str, object] = {"name": name}
        if wanted := list(scopes):
            body["scopes"] = wanted
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        reply = self._transport.post(path_of("keys"), body)
        return NewKey.from_json(with_secret(reply, "secret"), reply.request_id)

    def list(self, *, page_size: int = 100) -> Listing[Key]:
        return Listing(self._transport, path_of("keys"), Key, {"limit": page_size})

    def revoke(self, key_id: str) -> None:
        self._transport.delete(path_of("keys", key_id))


def with_secret(reply: Reply, name: str) -> Any:
    """Give the document of something just made, if the secret that is shown once is in it.

    It is not when the first answer was lost on the way and the request was repeated: the server keeps no
    secrets.
    """
    document = reply.document
    if isinstance(document, dict) and document.get("id") and not document.get(name):
        raise MyriadError(
            f"It was made, as {document['id']}, but its {name} was lost with the connection.",
            code="secret_lost",
            hint="Revoke it and make another.",
            request_id=reply.request_id,
        )
    return document
