"""Seconds to add a column to the image table, and how long another session had to wait meanwhile.

As `manage.py migrate` does it: Django's AddField under the owner's role. A reader and a writer, each in the scope of a
tenant as the server is, go round all the while; their longest turn in an equal time before is told beside it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2

from tests.benchmarks.population import Resident
from tests.benchmarks.stack import Stack

# Before the column is added: what a turn takes on this machine at its worst.
QUIET_SECONDS = 5.0
_ADD = """
import json, sys, time
import django
django.setup()
from django.db import connections, migrations, models
from django.db.migrations.loader import MigrationLoader
fields = {"nullable": models.TextField(null=True), "default": models.IntegerField(default=0)}
connection = connections["owner"]
connection.ensure_connection()
before = MigrationLoader(connection).project_state()
before.apps
for line in sys.stdin:
    adds = migrations.AddField("image", "bench", fields[line.strip()])
    after = before.clone()
    adds.state_forwards("projects", after)
    after.apps
    took = []
    for run, states in ((adds.database_forwards, (before, after)), (adds.database_backwards, (after, before))):
        began = time.perf_counter()
        with connection.schema_editor(atomic=True) as editor:
            run("projects", editor, *states)
        took.append(time.perf_counter() - began)
    print(json.dumps(took), flush=True)
"""
_READ = "SELECT * FROM projects_image WHERE tenant_id = %s AND project_id = %s AND deleted_at IS NULL LIMIT 20"
_WRITE = "UPDATE projects_image SET split_pinned = split_pinned WHERE tenant_id = %s AND id = %s"


@dataclass(frozen=True)
class Added:
    """Seconds to add a column, to take it away, and of the longest turn of another session, then and before."""

    add_seconds: float
    drop_seconds: float
    longest_wait: float
    longest_before: float


def add_columns(stack: Stack, resident: Resident) -> dict[str, Added]:
    """Adds and takes away a nullable column, then one with a default."""
    added = {}
    with _adder(stack) as adder, _sessions(stack, resident) as sessions:
        assert adder.stdin is not None  # both are pipes, see _adder
        assert adder.stdout is not None
        for name in ("nullable", "default"):
            _longest(sessions)
            time.sleep(QUIET_SECONDS)
            before = _longest(sessions)
            adder.stdin.write(f"{name}\n")
            adder.stdin.flush()
            add, drop = json.loads(adder.stdout.readline() or "[]")
            time.sleep(0.2)  # whoever waited ends their turn
            added[name] = Added(add, drop, longest_wait=_longest(sessions), longest_before=before)
    return added


@contextmanager
def _adder(stack: Stack) -> "Iterator[subprocess.Popen[str]]":
    """A process that adds and takes away a column for each line, imported and connected beforehand."""
    env = {**os.environ, **stack.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    process = subprocess.Popen(
        [sys.executable, "-c", _ADD], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process


# As threads are: each is itself alone.
@dataclass(eq=False)
class _Session(threading.Thread):
    """One session of the server's role, in transactions of a tenant's scope, one after another, each timed."""

    url: str
    tenant: str
    sql: str
    about: str
    longest: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stop_asked = threading.Event()

    def run(self) -> None:
        with closing(psycopg2.connect(self.url)) as connection:
            while not self._stop_asked.wait(0.002):
                began = time.perf_counter()
                with connection, connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [self.tenant])
                    cursor.execute(self.sql, [self.tenant, self.about])
                self.longest = max(self.longest, time.perf_counter() - began)

    def take(self) -> float:
        """Seconds of the longest turn that ended since this was asked last."""
        taken, self.longest = self.longest, 0.0
        return taken

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


@contextmanager
def _sessions(stack: Stack, resident: Resident) -> Iterator[list[_Session]]:
    url = stack.env["DATABASE_URL"]
    sessions = [
        _Session(url, resident.tenant, sql, about)
        for sql, about in ((_READ, resident.project), (_WRITE, resident.labelled[0]))
    ]
    for session in sessions:
        session.start()
    try:
        yield sessions
    finally:
        for session in sessions:
            session.stop()


def _longest(sessions: list[_Session]) -> float:
    return max(session.take() for session in sessions)
