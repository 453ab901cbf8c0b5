"""Sixty photographs are being ingested when a part dies. All sixty end ready, once, and the books balance."""

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from tests.chaos.customer import PHOTOGRAPHS, Customer, photographs
from tests.chaos.ground import PATIENCE, Ground, until

Files = list[bytes]


def _in_the_middle(customer: Customer) -> bool:
    """Some are ready; jobs are under way."""
    return 0 < customer.ready() < PHOTOGRAPHS


def _begin(customer: Customer, files: Files) -> None:
    customer.upload(files)
    until(lambda: _in_the_middle(customer), every=0.005)


def _at_work(installation: Ground) -> list[psutil.Process]:
    """Decode children that have started: one that is killed before costs its job a pause and an attempt."""
    return [child for child in installation.worker_children() if _spent(child) > 0.15]


def _spent(child: psutil.Process) -> float:
    """Seconds of computing."""
    try:
        return float(child.cpu_times().user)
    except psutil.NoSuchProcess:
        return 0.0


def test_the_decode_child_is_killed(customer: Customer, installation: Ground) -> None:
    """At two moments. The file it held is decoded again, in a fresh child."""
    files = photographs(enlarged=4)
    customer.upload(files)
    killed = 0
    for share in (0, PHOTOGRAPHS // 2):
        until(lambda share=share: customer.ready() >= share, every=0.005)  # type: ignore[misc]
        until(lambda: _at_work(installation) or customer.all_done(), every=0.005)
        for child in _at_work(installation)[:1]:
            child.kill()
            killed += 1

    customer.assert_books_balance(files)
    assert killed


@pytest.mark.parametrize("part", ["worker", "dispatcher"])
def test_a_process_of_ours_is_killed(customer: Customer, installation: Ground, files: Files, part: str) -> None:
    _begin(customer, files)
    children = installation.worker_children()
    installation.kill(part)
    if part == "worker":
        until(lambda: not any(child.is_running() for child in children))
    installation.restart(part)

    customer.assert_books_balance(files)
    assert len(list(installation.scratch.iterdir())) == 1, "what a dead worker left was swept"


def test_the_broker_is_flushed(customer: Customer, installation: Ground, files: Files) -> None:
    with installation.broker() as broker:
        customer.upload(files)
        until(lambda: broker.flushall() and _in_the_middle(customer), every=0.005)
        broker.flushall()

    customer.assert_books_balance(files)


def _restart_broker(installation: Ground) -> None:
    valkey = installation.engines.valkey
    assert valkey is not None
    valkey.process.kill()
    valkey.process.start()
    until(valkey.answers)


def _restart_postgres(installation: Ground) -> None:
    postgres = installation.engines.postgres
    assert postgres is not None
    assert postgres.process.pid is not None
    os.kill(postgres.process.pid, signal.SIGQUIT)  # a crash, followed by recovery
    assert postgres.process.wait(PATIENCE)
    postgres.process.start()
    until(postgres.answers)


@pytest.mark.parametrize("restart", [_restart_broker, _restart_postgres])
def test_an_engine_is_killed_and_comes_back(
    customer: Customer, installation: Ground, files: Files, restart: Callable[[Ground], None]
) -> None:
    """The other half is asked for afterwards, over connections that are dead by then."""
    customer.send(files)
    customer.complete(0)
    until(lambda: customer.ready() > 0, every=0.005)
    restart(installation)
    customer.complete(1)

    customer.assert_books_balance(files)


def test_the_worker_is_asked_to_end(customer: Customer, installation: Ground, files: Files) -> None:
    """It gives its jobs back, uncounted, and leaves nothing running."""
    _begin(customer, files)
    children = installation.worker_children()
    worker = installation.parts["worker"]
    worker.ask_to_stop()

    assert worker.wait(PATIENCE)
    assert worker.returncode == 0
    assert not any(child.is_running() for child in children)
    assert list(installation.scratch.iterdir()) == []
    states = customer.job_states()
    assert not [state for state, _ in states if state == "RUNNING"]
    assert all(attempts == (0 if state == "PENDING" else 1) for state, attempts in states)
    assert installation.query("SELECT count(*) FROM workers_worker WHERE seen_at > now() - interval '2 s'") == [(0,)]

    installation.restart("worker")
    customer.assert_books_balance(files)
    assert {attempts for _, attempts in customer.job_states()} == {1}
