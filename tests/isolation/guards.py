"""The two guards, and how each is put out of action."""

from enum import Enum

import psycopg2
import pytest
from django.db import models
from django.db.models.manager import BaseManager

from tenants.managers import TenantManager, TenantQuerySet
from tenants.models import TenantModel
from tests.isolation.world import tenant_tables


class Guards(Enum):
    """Which guards stand in a run of the matrix."""

    BOTH = "both guards"
    ROW_SECURITY = "manager disabled"
    MANAGER = "row security disabled"
    NONE = "both disabled"

    @property
    def row_security(self) -> bool:
        return self in (Guards.BOTH, Guards.ROW_SECURITY)

    @property
    def manager(self) -> bool:
        return self in (Guards.BOTH, Guards.MANAGER)


def disable_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes our managers, query sets and models what Django's are: no filter, no check."""
    monkeypatch.setattr(TenantManager, "get_queryset", BaseManager.get_queryset)
    monkeypatch.setattr(TenantQuerySet, "_check", lambda _self: None)
    monkeypatch.setattr(TenantQuerySet, "bulk_create", models.QuerySet.bulk_create)
    monkeypatch.setattr(TenantModel, "_refuse_foreign", lambda _self: None)


def disable_row_security(owner_url: str) -> None:
    """As the tables' owner, the only role that can."""
    connection = psycopg2.connect(owner_url)
    try:
        with connection, connection.cursor() as cursor:
            for table in tenant_tables():
                cursor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    finally:
        connection.close()
