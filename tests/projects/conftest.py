"""Alice's project, and a hand that does the jobs, in a database that is emptied after each test.

Emptying takes a tenth of the time that another clone of the template would.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions

from projects.domain.projects import create_project
from tenants.models import Quota
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Cast, Person
from tests.conftest import _point
from tests.projects.working import Hand


@dataclass(frozen=True)
class Shared:
    """One database for all tests here, and the superuser's connection to it."""

    name: str
    admin: extensions.connection
    # Those that migrations leave empty.
    tables: list[str]

    def empty(self) -> None:
        deletions = "; ".join(f"DELETE FROM {table}" for table in self.tables)
        with self.admin.cursor() as cursor:
            # As a replica: without the triggers that check keys and keep the audit log.
            cursor.execute(f"SET session_replication_role = replica; {deletions}")


@pytest.fixture(scope="package")
def shared(template: str, admin: extensions.connection) -> Iterator[Shared]:
    name = f"projects_{os.getpid()}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER myriad_owner")
    with closing(psycopg2.connect(os.environ["DATABASE_ADMIN_URL"], dbname=name)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            tables = [table for (table,) in cursor.fetchall()]
            for table in list(tables):
                cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
                if cursor.fetchone():
                    tables.remove(table)
        yield Shared(name=name, admin=connection, tables=tables)
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(shared: Shared, django_db_blocker: Any) -> Iterator[str]:
    """An empty database; Django's connections lead to it, each under its role."""
    for alias in connections:
        if alias != "admin":
            _point(alias, shared.name)
    with django_db_blocker.unblock():
        yield shared.name
        connections.close_all()
    shared.empty()


def project_of(person: Person, name: str = "Casings") -> str:
    """Makes a project; its id."""
    with tenant_scope(person.tenant.id):
        return str(create_project(name=name, kind="DETECTION", by=person.principal).id)


@pytest.fixture
def alice(cast: Cast) -> Person:
    return cast.alice


@pytest.fixture
def project(alice: Person) -> str:
    return project_of(alice)


@pytest.fixture
def hand(database: str) -> Hand:
    return Hand()


@pytest.fixture
def storage(alice: Person) -> TenantStorage:
    return TenantStorage(alice.tenant.id)


@pytest.fixture
def limit(alice: Person) -> Callable[..., None]:
    """Sets limits of Acme's quota: `limit(images_limit=2)`."""

    def set_limits(**limits: int) -> None:
        with tenant_scope(alice.tenant.id):
            Quota.objects.update(**limits)

    return set_limits


@pytest.fixture
def queries(database: str) -> Callable[[], AbstractContextManager[list[str]]]:
    """`with queries() as sql:` collects the statements that run meanwhile."""

    @contextmanager
    def captured() -> Iterator[list[str]]:
        sql: list[str] = []
        with CaptureQueriesContext(connections["default"]) as context:
            yield sql
        sql += [query["sql"] for query in context.captured_queries]

    return captured
