"""The first door: which tenant's rows the current thread may touch.

A scope is a transaction in which `app.tenant_id` is set with `set_config(…, true)`, so the setting ends with the
transaction and cannot reach the next user of a pooled connection. It lives in a thread-local, as Django's
connections do: a new thread starts without one.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


class NoScope(RuntimeError):
    """Tenant-owned data was touched outside `tenant_scope`."""


class ForeignScope(RuntimeError):
    """A scope of one tenant was entered inside that of another, or a row of another was written."""


class ScopeOpen(RuntimeError):
    """Slow work (S3, a child process) was begun while a transaction was open."""


class _State(threading.local):
    tenant_id: uuid.UUID | None = None


_state = _State()


def scope_or_none() -> uuid.UUID | None:
    """The tenant whose scope this thread is in, or None."""
    return _state.tenant_id


def current_tenant_id() -> uuid.UUID:
    """The tenant whose scope this thread is in; raises NoScope outside one."""
    if _state.tenant_id is None:
        raise NoScope("this needs a tenant: run it inside `with tenant_scope(tenant_id):`")
    return _state.tenant_id


@contextmanager
def tenant_scope(tenant_id: uuid.UUID) -> Iterator[None]:
    """Opens a transaction that sees and writes one tenant's rows only.

    Entering the same tenant's scope again joins the open one. Entering another tenant's raises ForeignScope, because
    the setting would outlive the inner savepoint and the outer tenant would go on reading as the inner one.
    """
    if not isinstance(tenant_id, uuid.UUID):
        raise TypeError(f"a scope takes a UUID, not {type(tenant_id).__name__}")
    outer = _state.tenant_id
    if outer == tenant_id:
        yield
        return
    if outer is not None:
        raise ForeignScope(f"scope of tenant {tenant_id} entered inside that of {outer}")
    joins_transaction = connection.in_atomic_block
    with transaction.atomic():
        _bind(tenant_id)
        _state.tenant_id = tenant_id
        try:
            yield
            if joins_transaction:
                # The setting survives the savepoint's release; after an error its rollback undoes it.
                _bind(None)
        finally:
            _state.tenant_id = None


def _bind(tenant_id: uuid.UUID | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id or "")])


def refuse_open_transaction(what: str) -> None:
    """Raises ScopeOpen when a transaction is open: a slow peer must not hold a connection and its locks."""
    if connection.in_atomic_block:
        raise ScopeOpen(f"{what} inside an open transaction; close the scope first")


def commit_without_waiting() -> None:
    """The open transaction's end does not wait for the disk: a server that dies at that moment may forget it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")
