"""The fourth door: the audit log, written in the transaction of what it records."""

import uuid
from typing import Any

from tenants.models import AuditEvent
from tenants.permissions import Principal
from tenants.tracing import request_id


def record(
    action: str,
    *,
    by: Principal | None,
    target: uuid.UUID | None = None,
    operator: uuid.UUID | None = None,
    **detail: Any,
) -> None:
    """Adds a line to the current tenant's audit log; it stands or falls with the open transaction.

    `by` is None for what the service does itself, or for an operator's command (then `operator` may name the user).
    """
    if by is None:
        kind, actor_id = ("operator", operator) if operator else ("system", None)
    elif by.key_id:
        kind, actor_id = "key", by.key_id
    else:
        kind, actor_id = "member", by.member_id
    AuditEvent.objects.create(
        actor_kind=kind,
        actor_id=actor_id,
        action=action,
        target_id=target,
        detail=detail,
        request_id=request_id.get(),
    )
