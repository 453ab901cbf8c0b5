"""Workers killed at random points of claim → lease → publish → succeed, and the books afterwards.

    python -m tests.chaos.kill_loop --kills 1000 [--processes 4] [--json]

The parent loads Django once and forks workers, which live for about half a second each. One more lives on, and dozes
past the end of its leases, so that there is also a worker that was thought dead and comes back. A job's publication is
a row and a count in one transaction, made unless it is there; whoever enters it leaves its token beside the job's.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg2

from deploy.local.engines import engines

if TYPE_CHECKING:
    from tests.chaos.kill_worker import Worker
    from tests.workers.queues import Works

LEASE = 1
TENANTS = 8
BACKLOG = 100
KILLS_A_SECOND = 8
# The share of its jobs that the dozing worker sleeps over.
DOZING = 0.2
TABLES = """
CREATE TABLE chaos_publication (job_id uuid);
CREATE TABLE chaos_entry (held integer, current integer, state text);
CREATE TABLE chaos_count (tenant_id uuid PRIMARY KEY, published integer);
GRANT SELECT, INSERT ON chaos_publication, chaos_entry TO myriad_app;
GRANT SELECT, UPDATE ON chaos_count TO myriad_app;
"""
# Rows, in one snapshot, whose counters do not say what their jobs say: none, at any moment.
DRIFT = """
SELECT count(*) FROM tenants_tenantqueue q WHERE (q.waiting, q.running) <> (
    SELECT count(*) FILTER (WHERE state = 'PENDING'), count(*) FILTER (WHERE state IN ('DISPATCHED', 'RUNNING'))
      FROM tenants_job j WHERE j.tenant_id = q.tenant_id AND j.pool = q.pool)
"""
MISCOUNTED = """
SELECT count(*) FROM chaos_count c WHERE c.published <> (
    SELECT count(*) FROM tenants_job j JOIN chaos_publication p ON p.job_id = j.id WHERE j.tenant_id = c.tenant_id)
"""


@dataclass
class Outcome:
    """What came of it. All but these must be 0: `fenced`, the writes that a stale token was refused, and
    `extra_attempts`, the share of attempts beyond one a job. `unfenced` are publications entered under a stale token.
    """

    kills: int = 0
    jobs: int = 0
    lost: int = 0
    doubled: int = 0
    unfenced: int = 0
    drifted: int = 0
    crashed: int = 0
    fenced: int = 0
    extra_attempts: float = 0.0
    seconds: float = 0.0

    @property
    def fine(self) -> bool:
        return not (self.lost or self.doubled or self.unfenced or self.drifted or self.crashed)


class Loop:
    """The parent: forks workers, kills them, and counts."""

    def __init__(self, tenants: "list[Works]", admin_url: str, worker: "type[Worker]") -> None:
        self.tenants = tenants
        self.worker = worker
        self.admin_url = admin_url
        self.outcome = Outcome()
        self.alive: list[int] = []

    def run(self, *, kills: int, processes: int) -> None:
        started = time.monotonic()
        # A child takes it once it has its handler; before that, it waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        dozing = self._fork(dozing=DOZING)
        self.alive = [self._fork() for _ in range(processes)]
        while self.outcome.kills < kills:
            time.sleep(random.expovariate(KILLS_A_SECOND))
            self._kill_one()
            if self.outcome.kills % 25 == 0:
                self.outcome.drifted += self.query(DRIFT)
        for pid in (*self.alive, dozing):
            os.kill(pid, signal.SIGTERM)
        for pid in (*self.alive, dozing):
            self.outcome.crashed += os.waitpid(pid, 0)[1] != 0
        self._count()
        self.outcome.seconds = round(time.monotonic() - started, 1)

    def _fork(self, *, dozing: float = 0) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            random.seed()
            self.worker(self.tenants, dozing=dozing, lease_seconds=LEASE).run()
            status = 0
        except BaseException as error:  # noqa: BLE001 - told and counted, in a process that must not go on as its parent
            sys.stderr.write(f"a worker crashed: {error!r}\n")
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _kill_one(self) -> None:
        pid = self.alive.pop(random.randrange(len(self.alive)))
        os.kill(pid, signal.SIGKILL)
        # One that had ended by itself, with an exit code, had crashed.
        self.outcome.crashed += not os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        self.outcome.kills += 1
        self.alive.append(self._fork())

    def _count(self) -> None:
        outcome = self.outcome
        outcome.jobs = self.query("SELECT count(*) FROM tenants_job")
        outcome.lost = self.query("SELECT count(*) FROM tenants_job WHERE state <> 'SUCCEEDED'")
        outcome.lost += outcome.jobs - self.query("SELECT count(DISTINCT job_id) FROM chaos_publication")
        outcome.doubled = self.query("SELECT count(*) - count(DISTINCT job_id) FROM chaos_publication")
        outcome.unfenced = self.query("SELECT count(*) FROM chaos_entry WHERE held <> current OR state <> 'RUNNING'")
        outcome.drifted += self.query(DRIFT) + self.query(MISCOUNTED)
        extra = self.query("SELECT sum(attempts) - count(*) FROM tenants_job")
        outcome.extra_attempts = round(extra / outcome.jobs, 4)
        fenced = Path(os.environ["KILL_LOOP_FENCED"])
        outcome.fenced = fenced.stat().st_size if fenced.exists() else 0

    def query(self, sql: str) -> int:
        # A connection of its own each time: none may be open when a process is forked.
        with closing(psycopg2.connect(self.admin_url)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
            assert row is not None
            return int(row[0])


@contextmanager
def _installation(folder: Path) -> Iterator[Loop]:
    """PostgreSQL with a migrated database, tenants and their first jobs."""
    with engines(folder, durable=False, replaced=("valkey", "s3")) as running:
        addresses = running.addresses.env()
        os.environ.update(addresses, KILL_LOOP_FENCED=str(folder / "fenced"))
        os.environ.update(JOB_LEASE_SECONDS=str(LEASE), JOB_DISPATCH_SECONDS=str(LEASE), LOG_LEVEL="WARNING")
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("database", "bootstrap", stdout=sys.stderr)
        call_command("migrate", database="owner", verbosity=0)
        admin_url = urlsplit(addresses["DATABASE_ADMIN_URL"])._replace(path="/myriad").geturl()
        tenants = _make_tenants(admin_url)
        connections.close_all()
        from tests.chaos.kill_worker import Worker

        yield Loop(tenants, admin_url, Worker)


def _make_tenants(admin_url: str) -> "list[Works]":
    from tenants import jobs
    from tenants.models import Job
    from tests.workers.queues import POOL, make_works

    # So many attempts that a job that is killed again and again is not given up: it must be done in the end.
    jobs.register(jobs.Kind(name="work", handler=lambda _: {}, pool=POOL, lane=Job.Lane.SHORT, max_attempts=1000))
    tenants = [make_works() for _ in range(TENANTS)]
    with closing(psycopg2.connect(admin_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        cursor.execute("INSERT INTO chaos_count SELECT id, 0 FROM tenants_tenant")
        cursor.execute("INSERT INTO tenants_pool VALUES (%s, 0, 0, 1)", [POOL])
    for number in range(BACKLOG):
        tenants[number % TENANTS].enqueue()
    return tenants


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill_loop", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="myriad-chaos-") as folder, _installation(Path(folder)) as loop:
        loop.run(kills=options.kills, processes=options.processes)
    outcome = loop.outcome
    sys.stdout.write(f"{json.dumps(asdict(outcome)) if options.json else outcome}\n")
    return 0 if outcome.fine else 1


if __name__ == "__main__":
    sys.exit(main())
