"""Members of the tenant, and the invitations by which they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from myriad.answers import Answer
from myriad.listing import Listing
from myriad.resources.keys import NewKey, with_secret
from myriad.resources.tenant import Tenant
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Member(Answer):
    """`role` is OWNER, ADMIN, ENGINEER, LABELER or VIEWER."""

    id: str
    email: str
    role: str
    name: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Invitation(Answer):
    id: str
    email: str
    role: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NewInvitation(Invitation):
    """An invitation just made: the one time that its `token` is given."""

    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Accepted(Answer):
    """What came of an accepted invitation: a seat and a first key, whose secret is given this once."""

    tenant: Tenant
    member: Member
    api_key: NewKey = field(repr=False)


class Members:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, page_size: int = 100) -> Listing[Member]:
        return Listing(self._transport, path_of("members"), Member, {"limit": page_size})

    def update(self, member_id: str, *, role: str) -> Member:
        reply = self._transport.patch(path_of("members", member_id), {"role": role.upper()})
        return Member.from_json(reply.document, reply.request_id)

    def remove(self, member_id: str) -> None:
        self._transport.delete(path_of("members", member_id))


class Invitations:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, email: str, *, role: str) -> NewInvitation:
        reply = self._transport.post(path_of("invitations"), {"email": email, "role": role.upper()})
        return NewInvitation.from_json(with_secret(reply, "token"), reply.request_id)

    def list(self, *, page_size: int = 100) -> Listing[Invitation]:
        return Listing(self._transport, path_of("invitations"), Invitation, {"limit": page_size})

    def revoke(self, invitation_id: str) -> None:
        self._transport.delete(path_of("invitations", invitation_id))

    def accept(self, token: str, *, name: str, password: str) -> Accepted:
        """Take the seat; needs no API key, and gives one."""
        body = {"token": token, "name": name, "password": password}
        path = path_of("invitations", "accept")
        reply = self._transport.request("POST", path, body=body, anonymous=True)
        return Accepted.from_json(reply.document, reply.request_id)
