"""The tenant that the API key belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from myriad.answers import Answer
from myriad.listing import Listing
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Tenant(Answer):
    id: str
    name: str
    slug: str = ""


@dataclass(frozen=True, kw_only=True)
class Seat(Answer):
    """Who the key acts as."""

    id: str
    email: str
    role: str


@dataclass(frozen=True, kw_only=True)
class UsedKey(Answer):
    id: str
    prefix: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Me(Answer):
    """Tenant, member and key behind this client; `usage` has a `…_used` and a `…_limit` of each thing."""

    tenant: Tenant
    member: Seat | None = None
    key: UsedKey | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AuditEvent(Answer):
    """One line of the audit trail: who did what to what."""

    id: str
    action: str = ""
    at: datetime | None = None
    actor_kind: str = ""
    actor_id: str | None = None
    target_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class TenantResource:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def me(self) -> Me:
        """Tell which tenant, member and key this client speaks for, and what is used of the quota."""
        reply = self._transport.get(path_of("me"))
        return Me.from_json(reply.document, reply.request_id)

    def audit(self, *, page_size: int = 100) -> Listing[AuditEvent]:
        """Give the audit trail, newest first."""
        return Listing(self._transport, path_of("audit"), AuditEvent, {"limit": page_size})
