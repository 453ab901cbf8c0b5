"""Dispatchers, broker and Celery workers as they run in production, with jobs that only take time."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.ground import PATIENCE, Ground, ground, until

ENQUEUE = """
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, attempts, max_attempts, token,
                         worker, traceback, created_at, due_at)
VALUES (%s, %s, 'nap', gen_random_uuid()::text, 'cpu', 'SHORT', 'PENDING', json_build_object('seconds', %s::float),
        '{}', 0, 5, 0, '', '', now(), now())
"""
QUEUE = """
INSERT INTO tenants_tenantqueue (id, tenant_id, pool, virtual_time, weight, running_cap, running, waiting)
VALUES (uuidv7(), %s, 'cpu', 0, 1, 4, 0, 1)
ON CONFLICT (tenant_id, pool) DO UPDATE SET waiting = tenants_tenantqueue.waiting + 1
"""


class Bench:
    """Two workers of one slot each, and two dispatchers."""

    def __init__(self, running: Ground, tenant_id: str) -> None:
        self.ground = running
        self.tenant_id = tenant_id

    def nap(self, seconds: float) -> str:
        job_id = str(uuid.uuid4())
        self.ground.query(ENQUEUE, job_id, self.tenant_id, seconds)
        self.ground.query(QUEUE, self.tenant_id)
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        sql = "SELECT row_to_json(j) FROM tenants_job j WHERE id = %s"
        return dict(self.ground.query(sql, job_id)[0][0])

    def wait(self, job_id: str, state: str) -> dict[str, Any]:
        until(lambda: self.job(job_id)["state"] == state)
        return self.job(job_id)

    def workers(self) -> int:
        sql = "SELECT count(*) FROM workers_worker WHERE NOT draining AND seen_at > now() - interval '2 s'"
        return int(self.ground.query(sql)[0][0])


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with ground(tenants=1, slots=1, worker_app="tests.chaos.kinds") as (running, (tenant,)):
        for part in ("worker", "dispatcher"):
            running.restart(running.add(part))
        made = Bench(running, tenant.id)
        until(lambda: made.workers() == 2)
        yield made


def test_a_busy_worker_leaves_wake_ups_to_an_idle_one(bench: Bench) -> None:
    """One that fetched what it cannot start would hold it until the dispatch's grace is over."""
    long = bench.nap(600)
    busy = bench.wait(long, "RUNNING")["worker"]

    for _ in range(6):
        assert bench.wait(bench.nap(0), "SUCCEEDED")["worker"] != busy
    assert "went back" not in bench.ground.logs()

    sql = "UPDATE tenants_job SET cancel_requested_at = clock_timestamp() WHERE id = %s"
    bench.ground.query(sql, long)
    assert bench.wait(long, "CANCELED")["attempts"] == 1


def test_a_worker_that_is_asked_to_end_hands_over(bench: Bench) -> None:
    job_id = bench.nap(600)
    pid = int(bench.wait(job_id, "RUNNING")["worker"].rpartition(":")[2])
    name = next(name for name, part in bench.ground.parts.items() if part.pid == pid)
    part = bench.ground.parts[name]

    part.ask_to_stop()
    assert part.wait(PATIENCE)

    assert part.returncode == 0
    until(lambda: bench.job(job_id)["token"] == 2)
    job = bench.wait(job_id, "RUNNING")
    assert job["attempts"] == 1, "the first was given back uncounted"
    assert not job["worker"].endswith(f":{pid}")
    assert bench.workers() == 1
    bench.ground.query("UPDATE tenants_job SET cancel_requested_at = now() WHERE id = %s", job_id)
    bench.wait(job_id, "CANCELED")
    bench.ground.restart(name)
    until(lambda: bench.workers() == 2)


def test_a_dispatcher_that_dies_is_replaced_by_the_one_that_waits(bench: Bench) -> None:
    first, second = (name for name in bench.ground.parts if name.startswith("dispatcher"))
    bench.wait(bench.nap(0), "SUCCEEDED")

    bench.ground.kill(first)
    bench.wait(bench.nap(0), "SUCCEEDED")
    bench.ground.restart(first)
    bench.ground.kill(second)

    bench.wait(bench.nap(0), "SUCCEEDED")


def test_the_broker_forgets_everything(bench: Bench) -> None:
    with bench.ground.broker() as broker:
        broker.flushall()
        jobs = [bench.nap(0) for _ in range(4)]
        broker.flushall()

    for job_id in jobs:
        assert bench.wait(job_id, "SUCCEEDED")["attempts"] == 1
