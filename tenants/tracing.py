"""What log lines carry beside their words: the request at work, and the tenant it acts for."""

import logging
import uuid
from contextvars import ContextVar

from tenants.scope import scope_or_none

# The id of the HTTP request at work, set by the middleware; empty elsewhere.
request_id: ContextVar[str] = ContextVar("request_id", default="")
# The tenant of the request's key; a scope is open during a part of the request only.
acting_for: ContextVar[uuid.UUID | None] = ContextVar("acting_for", default=None)


class TraceFilter(logging.Filter):
    """Puts `tenant` and `request_id` on each log record; a dash where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.tenant = scope_or_none() or getattr(record, "tenant", None) or acting_for.get() or "-"
        record.request_id = request_id.get() or "-"
        return True
