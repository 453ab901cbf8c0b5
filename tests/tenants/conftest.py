"""A database with the cast in it, made once a session and cloned for each test, which commits and may wreck it."""

import os
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.db import connections
from django.test import override_settings

from tests.cast import Cast, assemble
from tests.conftest import _point

_casts: dict[str, Cast] = {}


@pytest.fixture(scope="session")
def template(template: str, django_db_blocker: Any) -> str:
    """Instead of the empty one: what `database` clones in this folder."""
    name = f"cast_{os.getpid()}"
    with closing(psycopg2.connect(os.environ["DATABASE_ADMIN_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER myriad_owner")
    for alias in set(connections) - {"admin"}:
        _point(alias, name)
    quick = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
    with django_db_blocker.unblock(), quick:
        _casts[name] = assemble()
        connections.close_all()
    return name


@pytest.fixture
def cast(template: str, database: str) -> Cast:
    """Alice, Bob, Vera and Charlie, with keys."""
    return _casts[template]
