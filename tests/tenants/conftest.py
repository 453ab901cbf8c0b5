"""Databases with the cast in them, made once a session and cloned: one a test, or one a module to read only."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connections
from django.test import override_settings
from psycopg2 import extensions

from tests.cast import Cast, assemble
from tests.conftest import _point

_casts: dict[str, Cast] = {}
_numbers = itertools.count(1)


@contextmanager
def administrator(database: str = "postgres") -> Iterator[extensions.cursor]:
    """The superuser's cursor in a database, in autocommit."""
    address = urlsplit(os.environ["DATABASE_ADMIN_URL"])._replace(path=f"/{database}").geturl()
    connection = psycopg2.connect(address)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def point_to(name: str) -> None:
    """Leads all of Django's connections but the administrator's to a database."""
    for alias in set(connections) - {"admin"}:
        _point(alias, name)


@pytest.fixture(scope="session")
def template(template: str, django_db_blocker: Any) -> str:
    """Instead of the empty one: what `database` clones in this folder."""
    name = f"cast_{os.getpid()}"
    with administrator() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER myriad_owner")
    point_to(name)
    quick = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
    with django_db_blocker.unblock(), quick:
        _casts[name] = assemble()
        connections.close_all()
    return name


@pytest.fixture
def cast(template: str, database: str) -> Cast:
    """Alice, Bob, Vera and Charlie, with keys, in a database that the test may change."""
    return _casts[template]


@pytest.fixture(scope="module")
def standing(template: str) -> Iterator[str]:
    """A database for a whole module, whose tests leave it as it was."""
    name = f"standing_{os.getpid()}_{next(_numbers)}"
    with administrator() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER myriad_owner")
        yield name
        connections.close_all()
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def standing_cast(template: str, standing: str, django_db_blocker: Any) -> Iterator[Cast]:
    """The cast, for a test that changes nothing, or takes it back (`rolled_back`): much quicker than `cast`.

    The connection stays open from test to test, as in a server.
    """
    if connections.settings["default"]["NAME"] != standing:
        point_to(standing)
    with django_db_blocker.unblock():
        yield _casts[template]
