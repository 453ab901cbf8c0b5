"""The heart beats beside the handler: it keeps the lease, shows progress, notices cancels, outlives short outages."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants import jobs
from tenants.jobs import JobContext
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.workers.conftest import Register
from tests.workers.outages import Switch
from tests.workers.queues import Works, claim, expire, with_own_connections
from workers.domain import dispatching, execution

PATIENCE = 30.0


class Running:
    """A job that runs in a thread, until it is stopped or told to finish."""

    def __init__(self, works: Works, register: Register) -> None:
        self.works = works
        self.began, self.finish = threading.Event(), threading.Event()
        self.context: JobContext | None = None
        self.left_as: list[str | None] = []
        register(self._handler)
        self.job_id = works.enqueue()
        assert claim() == self.job_id
        self._thread = threading.Thread(target=with_own_connections(self._execute), daemon=True)
        self._thread.start()
        assert self.began.wait(PATIENCE)

    def _execute(self) -> None:
        self.left_as.append(execution.execute_job(job_id=self.job_id, worker="w"))

    def _handler(self, context: JobContext) -> dict[str, Any]:
        self.context = context
        self.began.set()
        while not self.finish.wait(0.02):
            context.check()
        return {}

    def end(self) -> str | None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.left_as[0] if self.left_as else "raised"

    @property
    def job(self) -> Job:
        return self.works.job(self.job_id)


Run = Callable[[Works], Running]


@pytest.fixture
def run(register: Register) -> Iterator[Run]:
    """Starts jobs, and sees to it that none outlives the test."""
    started: list[Running] = []

    def start(works: Works) -> Running:
        started.append(Running(works, register))
        return started[-1]

    yield start
    for running in started:
        running.finish.set()
        running.end()


def _until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _quick_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert execution.HEARTBEAT_SECONDS <= 1, "a cancel is to be noticed within two seconds"
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 0.05)


def test_it_keeps_the_lease_and_shows_progress(acme: Works, run: Run) -> None:
    running = run(acme)
    assert running.context is not None
    running.context.progress(1, 3, "one")
    _until(lambda: running.job.progress == {"done": 1, "total": 3, "message": "one"})

    acme.change(running.job_id, expires_at=timezone.now() + timedelta(seconds=1))
    _until(lambda: (running.job.expires_at or timezone.now()) > timezone.now() + timedelta(seconds=5))

    running.finish.set()
    assert running.end() == "SUCCEEDED"


def test_a_cancel_stops_it(acme: Works, run: Run) -> None:
    running = run(acme)
    for _ in range(2):
        with tenant_scope(acme.id):
            job = jobs.cancel(job_id=running.job_id)
        assert job.cancel_requested_at is not None

    assert running.end() == "CANCELED"
    assert running.job.state == Job.State.CANCELED
    assert acme.counters() == (0, 0)


def test_an_outage_shorter_than_the_lease_costs_nothing(
    acme: Works, register: Register, run: Run, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    running = run(acme)
    with switch.outage():
        _until(lambda: caplog.text.count("heartbeat of job") >= 2)
    before = running.job.expires_at
    _until(lambda: running.job.expires_at != before)
    running.finish.set()

    assert running.end() == "SUCCEEDED"
    assert running.job.attempts == 1


def test_the_end_is_written_once_the_database_is_back(
    acme: Works, register: Register, run: Run, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_context: JobContext) -> dict[str, Any]:
        timers.append(switch.off_for(0.5))
        return {"an hour's": "work"}

    timers: list[threading.Timer] = []
    register(handler)
    job_id = acme.enqueue()
    assert claim() == job_id

    assert execution.execute_job(job_id=job_id, worker="w") == "SUCCEEDED"

    timers[0].join()
    assert acme.job(job_id).result == {"an hour's": "work"}
    assert acme.job(job_id).attempts == 1
    assert "could not be written yet" in caplog.text


def test_it_notices_that_the_lease_was_taken_away(acme: Works, run: Run) -> None:
    running = run(acme)

    def taken_away() -> bool:
        expire(acme, running.job_id)
        return dispatching.reap() == 1  # unless the heart beat in between

    _until(taken_away)

    assert running.end() is None
    assert running.job.state == Job.State.PENDING
    assert acme.counters() == (1, 0)


def test_replacing_a_running_job_takes_its_lease(acme: Works, run: Run) -> None:
    running = run(acme)
    with tenant_scope(acme.id):
        replacement, new = jobs.enqueue(
            kind="work", key=running.job.key, spec={}, on_duplicate=jobs.OnDuplicate.REPLACE
        )

    assert new
    assert running.end() is None
    assert running.job.state == Job.State.CANCELED
    assert acme.job(replacement.id).state == Job.State.PENDING
    assert acme.counters() == (1, 0)
