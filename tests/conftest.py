"""The same engines as in production: PostgreSQL with its roles and policies, the broker, S3.

They start with the first test that asks. Each test that asks for `database` has one of its own, cloned from a
migrated template, and commits: a test inside one outer transaction would hide what isolation tests look for.
"""

import importlib
import io
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg2 import extensions

from deploy.local.engines import Engines, engines
from tests.cast import Cast, assemble

TEMPLATE = "myriad"
_numbers = itertools.count(1)
# More than any test asks for; those of the limits set their own.
UNLIMITED = {f"RATE_LIMIT_{name}": "10000/100000" for name in ("KEY", "TENANT", "ADDRESS", "FAILURES")}
# What the running engines are called by; empty until they run.
_addresses: dict[str, str] = {}


@pytest.fixture(scope="session")
def stack() -> Iterator[Engines]:
    """Running engines, which Django's settings and connections name."""
    # Not below pytest's own folder: another pytest that starts meanwhile closes that one to PostgreSQL's account.
    with (
        tempfile.TemporaryDirectory(prefix="myriad-tests-", ignore_cleanup_errors=True) as folder,
        engines(Path(folder), durable=False) as running,
    ):
        _addresses.update(running.addresses.env() | UNLIMITED | {"ALLOWED_HOSTS": "testserver,127.0.0.1,localhost"})
        os.environ.update(_addresses)
        _apply_environment()
        yield running
        from workers.domain.scratch import scratch  # needs the settings

        scratch.remove()


def _apply_environment() -> None:
    import config.settings

    fresh = importlib.reload(config.settings)
    for name in dir(fresh):
        if name.isupper():
            setattr(settings, name, getattr(fresh, name))
    for alias in connections.settings:
        # Made before the engines had addresses.
        if hasattr(connections._connections, alias):
            del connections[alias]
    connections.settings = connections.configure_settings(settings.DATABASES)
    from workers import wakeups

    wakeups.app.conf.broker_url = settings.REDIS_URL


@pytest.fixture(scope="session")
def template(stack: Engines, django_db_blocker: Any) -> str:
    """The name of a migrated database that nobody is connected to."""
    with django_db_blocker.unblock():
        call_command("database", "bootstrap", stdout=io.StringIO())
        call_command("migrate", database="owner", verbosity=0)
        connections.close_all()
    return TEMPLATE


@pytest.fixture(scope="session")
def admin(template: str) -> Iterator[extensions.connection]:
    """The superuser's connection, in autocommit."""
    with closing(psycopg2.connect(os.environ["DATABASE_ADMIN_URL"])) as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture
def database(template: str, admin: extensions.connection, django_db_blocker: Any) -> Iterator[str]:
    """A database of this test's own; Django's connections lead to it, each under its role."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER myriad_owner")
    for alias in connections:
        if alias != "admin":
            _point(alias, name)
    with django_db_blocker.unblock():
        yield name
        connections.close_all()
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _point(alias: str, name: str) -> None:
    connections[alias].close()
    connections.settings[alias]["NAME"] = name
    connections[alias].settings_dict["NAME"] = name


@pytest.fixture
def cast(database: str) -> Cast:
    """Alice, Bob, Vera and Charlie, with keys."""
    return assemble()


@pytest.fixture(autouse=True)
def _known_addresses() -> None:
    """A test that takes variables away must not take them from the next, whenever the engines were started."""
    os.environ.update(_addresses)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Stretching passwords is slow on purpose, and not what these tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
