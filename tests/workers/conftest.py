"""Job kinds that exist for one test, and a way around row-level security to look at everything."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import extensions

from tenants import jobs
from tenants.jobs import JobContext, Kind
from tenants.models import Job
from tests.workers.outages import Switch
from tests.workers.queues import POOL, Works, make_works
from workers.domain import execution
from workers.domain.scratch import scratch

Handler = Callable[[JobContext], dict[str, Any]]
Register = Callable[..., Kind]


@pytest.fixture
def register() -> Iterator[Register]:
    """Registers job kinds, `work` unless named otherwise, until the test ends."""
    before = dict(jobs._kinds)

    def add(handler: Handler, *, name: str = "work", lane: str = "SHORT", **options: Any) -> Kind:
        jobs._kinds.pop(name, None)
        kind = Kind(name=name, handler=handler, pool=POOL, lane=Job.Lane(lane), **options)
        jobs.register(kind)
        return kind

    yield add
    jobs._kinds.clear()
    jobs._kinds.update(before)


@pytest.fixture(autouse=True)
def _work(register: Register) -> None:
    register(lambda _context: {})


@pytest.fixture(autouse=True)
def _not_draining() -> Iterator[None]:
    yield
    execution.draining.clear()


@pytest.fixture(autouse=True)
def _scratch_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WORKER_SCRATCH", str(tmp_path / "scratch"))
    scratch.remove()
    yield
    scratch.remove()


@pytest.fixture
def switch(database: str, admin: extensions.connection) -> Switch:
    return Switch(admin, database)


@pytest.fixture
def superuser(database: str) -> Iterator[extensions.connection]:
    """Sees and writes every tenant's rows of the test's database, in autocommit."""
    address = urlsplit(os.environ["DATABASE_ADMIN_URL"])._replace(path=f"/{database}").geturl()
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture
def acme(database: str) -> Works:
    return make_works("Acme")


@pytest.fixture
def bolt(database: str) -> Works:
    return make_works("Bolt")
