"""A scope whose changes are taken back."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from tenants.scope import tenant_scope


@contextmanager
def rolled_back(tenant_id: uuid.UUID) -> Iterator[None]:
    with tenant_scope(tenant_id):
        yield
        transaction.set_rollback(True)
