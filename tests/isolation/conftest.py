"""Databases for isolation tests: furnished once a session, and put back before each test, so that each may wreck it.

Two of them, the same but for row-level security. What a test changed is undone from copies of all rows (a few
milliseconds; a database of its own would cost each of some hundred tests a quarter of a second).
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connections
from django.test import override_settings
from psycopg2 import extensions

from fleet.domain import hosting
from fleet.domain.detectors import Graphs
from fleet.domain.hosting import Hosting
from tests.heads import shared_graphs
from tests.isolation.guards import Guards, disable_manager, disable_row_security
from tests.isolation.imports import stock_imports
from tests.isolation.world import World, furnish, stock
from workers.children.pixel_pool import PixelPool

# By database, for putting it back.
_superusers: dict[str, extensions.connection] = {}


@dataclass(frozen=True)
class Furnished:
    """The world's people and ids, and the databases that hold it."""

    world: World
    guarded: str
    unguarded: str


@pytest.fixture(scope="session")
def furnished(template: str, admin: extensions.connection, django_db_blocker: Any) -> Iterator[Furnished]:
    guarded, unguarded = (f"isolation_{os.getpid()}_{kind}" for kind in ("guarded", "unguarded"))
    _copy(admin, template, guarded)
    quick = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
    with django_db_blocker.unblock(), _entered(guarded), quick:
        world = furnish()
    with closing(psycopg2.connect(address("ADMIN", guarded))) as superuser, superuser, superuser.cursor() as cursor:
        cursor.execute("CREATE SCHEMA kept")
        for table in _tables(cursor):
            cursor.execute(f"CREATE TABLE kept.{table} AS TABLE public.{table}")
    _copy(admin, guarded, unguarded)
    disable_row_security(address("OWNER", unguarded))
    yield Furnished(world, guarded, unguarded)
    while _superusers:
        _superusers.popitem()[1].close()


@pytest.fixture
def world(furnished: Furnished, django_db_blocker: Any) -> Iterator[World]:
    """Both tenants, behind both guards."""
    _put_back(furnished.guarded)
    with django_db_blocker.unblock(), _entered(furnished.guarded):
        yield furnished.world


@pytest.fixture(scope="package")
def opened() -> Iterator[Hosting]:
    """Shared graphs and decode children, opened once; other packages' tests count this process's children."""
    made = Hosting(PixelPool(), Graphs(shared_graphs(), threads=1), cache_bytes=0, slots=1)
    yield made
    made.pool.close()


@pytest.fixture(autouse=True)
def _serving(opened: Hosting, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions are made in the tests' own process, with no model loaded yet."""
    settings.SERVES_PREDICTIONS = True
    made = Hosting(opened.pool, opened.graphs, cache_bytes=50_000_000, slots=2)
    monkeypatch.setattr(hosting, "hosting", lambda: made)


@pytest.fixture
def restocked(world: World) -> Iterator[None]:
    """For tests that ingest what Acme has uploaded: databases are put back, objects are not."""
    yield
    stock(world.acme.tenant, "acme", awaiting=world.acme.awaiting, arrived=world.acme.arrived)
    stock_imports(world.acme.tenant, "acme", {"entering": world.acme.entering})


@pytest.fixture
def superuser(world: World, furnished: Furnished) -> Iterator[extensions.connection]:
    """The superuser's connection to the test's database; what it does is rolled back."""
    with closing(psycopg2.connect(address("ADMIN", furnished.guarded))) as connection:
        yield connection


@pytest.fixture(params=Guards, ids=lambda guards: guards.value)
def guards(request: pytest.FixtureRequest) -> Guards:
    """Each of the matrix's four runs."""
    chosen: Guards = request.param
    return chosen


@pytest.fixture
def guarded_world(
    guards: Guards, furnished: Furnished, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Both tenants, behind the guards of the run."""
    name = furnished.guarded if guards.row_security else furnished.unguarded
    _put_back(name)
    with django_db_blocker.unblock(), _entered(name):
        if not guards.manager:
            disable_manager(monkeypatch)
        yield furnished.world


def address(role: str, database: str) -> str:
    """How to reach a database as "ADMIN", "OWNER", "MAINT"."""
    return urlsplit(os.environ[f"DATABASE_{role}_URL"])._replace(path=f"/{database}").geturl()


@contextmanager
def _entered(name: str) -> Iterator[None]:
    """Django's connections lead to the database, each under its role."""
    for alias in set(connections) - {"admin"}:
        connections[alias].close()
        connections.settings[alias]["NAME"] = connections[alias].settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()


def _copy(admin: extensions.connection, source: str, name: str) -> None:
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {source} OWNER myriad_owner")


def _tables(cursor: Any) -> list[str]:
    """Those that the service writes to."""
    cursor.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '^(django|auth)_' ORDER BY 1"
    )
    return [name for (name,) in cursor.fetchall()]


def _put_back(name: str) -> None:
    """All rows as they were furnished, past triggers and foreign keys."""
    if name not in _superusers:
        _superusers[name] = psycopg2.connect(address("ADMIN", name))
    with _superusers[name] as superuser, superuser.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        restored = (
            f"DELETE FROM public.{table}; INSERT INTO public.{table} TABLE kept.{table}" for table in _tables(cursor)
        )
        cursor.execute("; ".join(restored))
