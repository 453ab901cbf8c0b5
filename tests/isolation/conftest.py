"""Databases for isolation tests: furnished once a session, then cloned, so that each test may wreck its own."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections
from django.test import override_settings
from psycopg2.extensions import connection as Connection

from tests.isolation.guards import Guards, disable_manager, disable_row_security
from tests.isolation.world import World, furnish

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Furnished:
    """The world's people and ids, and the databases to clone: as migrated, and without row-level security."""

    world: World
    guarded: str
    unguarded: str


@contextmanager
def clone(admin: Connection, source: str, blocker: Any, *, keep: bool = False) -> Iterator[str]:
    """A copy of a database, which Django's connections lead to, each under its role."""
    name = f"isolation_{os.getpid()}_{next(_numbers)}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {source} OWNER myriad_owner")
    for alias in set(connections) - {"admin"}:
        connections[alias].close()
        connections.settings[alias]["NAME"] = connections[alias].settings_dict["NAME"] = name
    with blocker.unblock():
        yield name
        connections.close_all()
    if not keep:
        with admin.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def furnished(template: str, admin: Connection, django_db_blocker: Any) -> Furnished:
    quick = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
    with clone(admin, template, django_db_blocker, keep=True) as guarded, quick:
        world = furnish()
    with clone(admin, guarded, django_db_blocker, keep=True) as unguarded:
        disable_row_security(urlsplit(os.environ["DATABASE_OWNER_URL"])._replace(path=f"/{unguarded}").geturl())
    return Furnished(world, guarded, unguarded)


@pytest.fixture
def world(furnished: Furnished, admin: Connection, django_db_blocker: Any) -> Iterator[World]:
    """Both tenants in a database of the test's own, with both guards."""
    with clone(admin, furnished.guarded, django_db_blocker):
        yield furnished.world


@pytest.fixture(params=Guards, ids=lambda guards: guards.value)
def guards(request: pytest.FixtureRequest) -> Guards:
    """Each of the matrix's four runs."""
    chosen: Guards = request.param
    return chosen


@pytest.fixture
def guarded_world(
    guards: Guards,
    furnished: Furnished,
    admin: Connection,
    django_db_blocker: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Both tenants in a database of the test's own, behind the guards of the run."""
    source = furnished.guarded if guards.row_security else furnished.unguarded
    with clone(admin, source, django_db_blocker):
        if not guards.manager:
            disable_manager(monkeypatch)
        yield furnished.world
