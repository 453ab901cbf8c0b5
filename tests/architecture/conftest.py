"""A migrated database for the tests of this folder, which break it only in transactions that are rolled back."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import extensions

from tests.architecture.catalog import breaches

Broken = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def superuser(template: str, admin: extensions.connection) -> Iterator[extensions.connection]:
    """The superuser in a clone of the migrated database."""
    name = f"catalog_{os.getpid()}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER myriad_owner")
    address = urlsplit(os.environ["DATABASE_ADMIN_URL"])._replace(path=f"/{name}").geturl()
    with closing(psycopg2.connect(address)) as connection:
        yield connection
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def broken(superuser: extensions.connection, template: str) -> Iterator[Broken]:
    """Runs SQL as the superuser, says which rules are broken then, and takes it back."""

    def run(sql: str) -> list[str]:
        with superuser.cursor() as cursor:
            cursor.execute(sql)
            found = breaches(cursor, database=template)
        superuser.rollback()
        return found

    yield run
    superuser.rollback()
