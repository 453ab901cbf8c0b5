"""Sixty photographs are being ingested when a part dies. All sixty end ready, once, and the books balance."""

import signal
from collections.abc import Callable

import pytest

from tests.chaos.customer import PHOTOGRAPHS, Customer
from tests.chaos.ground import PATIENCE, Ground, until

Files = list[bytes]


def _in_the_middle(customer: Customer) -> bool:
    """Some are ready; jobs are under way."""
    return 0 < customer.ready() < PHOTOGRAPHS


def _begin(customer: Customer, files: Files) -> None:
    customer.upload(files)
    until(lambda: _in_the_middle(customer), every=0.005)


def test_nothing_dies(customer: Customer, files: Files) -> None:
    customer.upload(files)

    customer.assert_books_balance(files)
    assert customer.job_states() == [("SUCCEEDED", 1)] * 2


def test_the_decode_child_is_killed(customer: Customer, installation: Ground, files: Files) -> None:
    """At two moments. The file it held is decoded again, in a fresh child."""
    customer.upload(files)
    killed = 0
    for share in (0, PHOTOGRAPHS // 2):
        until(lambda share=share: customer.ready() >= share, every=0.005)  # type: ignore[misc]
        until(lambda: installation.worker_children() or customer.all_done(), every=0.005)
        for child in installation.worker_children()[:1]:
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
    postgres.process.popen and postgres.process.popen.send_signal(signal.SIGQUIT)  # a crash, followed by recovery
    assert postgres.process.wait(PATIENCE)
    postgres.process.start()
    until(postgres.answers)


@pytest.mark.parametrize("restart", [_restart_broker, _restart_postgres])
def test_an_engine_is_killed_and_comes_back(
    customer: Customer, installation: Ground, files: Files, restart: Callable[[Ground], None]
) -> None:
    _begin(customer, files)
    restart(installation)

    customer.assert_books_balance(files)


def test_the_broker_comes_back_while_everything_waits(customer: Customer, installation: Ground, files: Files) -> None:
    """Nothing is under way: dispatcher and worker sit on connections that are dead."""
    _restart_broker(installation)
    customer.upload(files)

    customer.assert_books_balance(files)


def test_the_worker_is_asked_to_end(customer: Customer, installation: Ground, files: Files) -> None:
    """It gives its jobs back, uncounted, and leaves nothing running."""
    _begin(customer, files)
    children = installation.worker_children()
    worker = installation.parts["worker"]
    import time
    t = time.monotonic()
    worker.ask_to_stop()

    assert worker.wait(PATIENCE)
    print("STOP", time.monotonic() - t)
    assert worker.returncode == 0
    assert not any(child.is_running() for child in children)
    assert list(installation.scratch.iterdir()) == []
    states = customer.job_states()
    assert not [state for state, _ in states if state == "RUNNING"]
    assert all(attempts == (0 if state == "PENDING" else 1) for state, attempts in states)
    assert installation.query("SELECT count(*) FROM workers_worker WHERE seen_at > now() - interval '2 s'") == [(0,)]

    installation.restart("worker")
    t = time.monotonic()
    customer.assert_books_balance(files)
    print("REST", time.monotonic() - t)
    assert customer.job_states() == [("SUCCEEDED", 1)] * 2
