"""What log lines carry beside their words: the request at work, and the tenant it acts for."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tenants.scope import scope_or_none

# The id of the HTTP request at work, set by the middleware; empty elsewhere.
request_id: ContextVar[str] = ContextVar("request_id", default="")
# The tenant of the request's key, or of the job; a scope is open during a part of either only.
acting_for: ContextVar[uuid.UUID | None] = ContextVar("acting_for", default=None)


@contextmanager
def traced(tenant_id: uuid.UUID) -> Iterator[None]:
    """What this thread logs meanwhile bears the tenant."""
    reset = acting_for.set(tenant_id)
    try:
        yield
    finally:
        acting_for.reset(reset)


class TraceFilter(logging.Filter):
    """Puts `tenant` and `request_id` on each log record; a dash where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.tenant = scope_or_none() or getattr(record, "tenant", None) or acting_for.get() or "-"
        record.request_id = request_id.get() or "-"
        return True
