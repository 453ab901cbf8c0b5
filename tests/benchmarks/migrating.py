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
from dataclasses import dataclass, field

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


@dataclass
class Watch:
    """The longest turn of each session so far, in seconds; cleared by who asks for the next."""

    longest: dict[str, float] = field(default_factory=dict)

    def take(self) -> float:
        """The longest of all turns that ended since it was asked last."""
        taken, self.longest = self.longest, {}
        return max(taken.values(), default=0.0)


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
    with _adder(stack) as adder, _sessions(stack, resident) as watch:
        assert adder.stdin is not None and adder.stdout is not None  # pipes, see _adder
        for name in ("nullable", "default"):
            watch.take()
            time.sleep(QUIET_SECONDS)
            before = watch.take()
            adder.stdin.write(f"{name}\n")
            adder.stdin.flush()
            add, drop = json.loads(adder.stdout.readline() or "[]")
            time.sleep(0.2)  # whoever waited ends their turn
            added[name] = Added(add, drop, longest_wait=watch.take(), longest_before=before)
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


@contextmanager
def _sessions(stack: Stack, resident: Resident) -> Iterator[Watch]:
    watch, stop = Watch(), threading.Event()
    statements = {"reader": (_READ, resident.project), "writer": (_WRITE, resident.labelled[0])}
    threads = [
        threading.Thread(target=_go_round, args=(stack, resident.tenant, name, *statement, watch, stop))
        for name, statement in statements.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield watch
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _go_round(stack: Stack, tenant: str, name: str, sql: str, about: str, watch: Watch, stop: threading.Event) -> None:
    """One session of the server's role: transaction after transaction, each timed."""
    with closing(psycopg2.connect(stack.env["DATABASE_URL"])) as connection:
        while not stop.wait(0.002):
            began = time.perf_counter()
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [tenant])
                cursor.execute(sql, [tenant, about])
            watch.longest[name] = max(watch.longest.get(name, 0.0), time.perf_counter() - began)
