"""Token buckets: the same figures in Redis and, while it is away, in the process."""

import functools
import itertools
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from pytest_django import Settings

from deploy.local.engines import Engines
from deploy.local.ports import Ports
from deploy.local.valkey import Valkey
from tenants import rate_limits
from tenants.ids import uuid7
from tenants.rate_limits import Bucket, Circuit, LocalBuckets, Verdict, take
from tests.tenants.threads import together

# A token comes back every ten seconds: none during a test.
SLOW = 0.1


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_local", LocalBuckets())
    monkeypatch.setattr(rate_limits, "_circuit", Circuit())


@pytest.fixture
def away(settings: Settings) -> Iterator[socket.socket]:
    """An address that takes connections and never answers; closed, it refuses them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield server


@pytest.fixture(params=["Redis", "the process"])
def place(request: pytest.FixtureRequest, stack: Engines, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the buckets are. Redis that asks nobody else: what the process keeps must stay empty."""
    if request.param == "the process":
        monkeypatch.setattr(rate_limits._circuit, "lets_pass", lambda: False)
    return str(request.param)


def bucket(burst: int = 3, rate: float = SLOW, name: str = "") -> Bucket:
    return Bucket(name or f"{{{uuid7()}}}", rate, burst)


def allowed(verdicts: list[Verdict]) -> list[bool]:
    return [verdict.allowed for verdict in verdicts]


def test_a_bucket_gives_what_it_holds_and_no_more(place: str) -> None:
    mine = bucket(burst=3)
    verdicts = [take(buckets=[mine]) for _ in range(5)]

    assert allowed(verdicts) == [True, True, True, False, False]
    assert [(verdict.limit, verdict.remaining) for verdict in verdicts] == [(3, 2), (3, 1), (3, 0), (3, 0), (3, 0)]
    assert [verdict.retry_after_seconds for verdict in verdicts] == [0, 0, 0, 10, 10]
    assert [verdict.reset_seconds for verdict in verdicts] == [10, 20, 30, 30, 30]
    assert bool(rate_limits._local._full_at) == (place == "the process")


def test_tokens_come_back(place: str) -> None:
    mine = bucket(burst=1, rate=1)
    assert allowed([take(buckets=[mine]) for _ in range(2)]) == [True, False]
    while not take(buckets=[mine]).allowed:  # pytest's time-out ends what does not
        time.sleep(0.05)


def test_all_of_them_or_none(place: str) -> None:
    wide, narrow = bucket(burst=10), bucket(burst=2)
    verdicts = [take(buckets=[wide, narrow]) for _ in range(6)]

    assert allowed(verdicts) == [True, True, False, False, False, False]
    # The narrow one's refusals cost the wide one nothing.
    assert take(buckets=[wide]).remaining == 7
    assert (verdicts[0].limit, verdicts[-1].limit) == (2, 2)


def test_the_scarcest_is_told(place: str) -> None:
    own, shared = bucket(burst=5), bucket(burst=4)
    assert [take(buckets=[own, shared]).limit for _ in range(2)] == [4, 4]
    other = bucket(burst=1)
    assert (take(buckets=[other, shared]).limit, take(buckets=[other]).remaining) == (1, 0)


def test_one_name_is_not_another(place: str) -> None:
    assert allowed([take(buckets=[bucket(burst=1)]) for _ in range(3)]) == [True] * 3


def test_a_smaller_burst_binds_at_once(place: str) -> None:
    name = f"{{{uuid7()}}}"
    for _ in range(8):
        take(buckets=[bucket(burst=8, name=name)])
    verdict = take(buckets=[bucket(burst=2, name=name)])
    assert (verdict.allowed, verdict.retry_after_seconds, verdict.reset_seconds) == (False, 10, 20)


def test_many_at_the_same_moment_get_no_more(place: str) -> None:
    mine = bucket(burst=10)
    calls = [functools.partial(take, buckets=[mine])] * 16
    verdicts: list[Any] = together(calls)
    assert sum(verdict.allowed for verdict in verdicts) == 10


def test_redis_keeps_no_bucket_longer_than_it_takes_to_fill(stack: Engines, settings: Settings) -> None:
    mine = bucket(burst=3)
    take(buckets=[mine])
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert 0 < client.pttl(f"rate:{mine.name}") <= 10_000


def test_one_trip_for_all_buckets(stack: Engines, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    take(buckets=[bucket()])  # the script is known to the server now
    sent: list[Any] = []
    monkeypatch.setattr(redis.Redis, "execute_command", lambda _self, *words, **_: sent.append(words) or [1, 0, 0])
    take(buckets=[bucket(), bucket()])
    assert [words[0] for words in sent] == ["EVALSHA"]


@pytest.mark.parametrize("state", ["refuses", "is silent"])
def test_without_redis_the_process_counts(state: str, away: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    if state == "refuses":
        away.close()
    mine = bucket(burst=3)
    with caplog.at_level(logging.WARNING):
        verdicts = [take(buckets=[mine]) for _ in range(5)]

    # Neither open nor closed.
    assert allowed(verdicts) == [True, True, True, False, False]
    assert len([line for line in caplog.records if "each process's own" in line.message]) == 1


def test_a_silent_redis_is_waited_for_once(away: socket.socket) -> None:
    """By one of the requests; the others do not even connect."""
    for _ in range(20):
        take(buckets=[bucket()])
    away.settimeout(0)
    connections = 0
    for _ in itertools.count():
        try:
            away.accept()[0].close()
        except BlockingIOError:
            break
        connections += 1
    assert connections <= 2  # the try, and the one more


def test_a_broker_that_is_killed_and_comes_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A really running one, of this test's own. What it had counted is lost with it, and nothing else."""
    monkeypatch.setattr(rate_limits, "AWAY_SECONDS", 0.0)
    broker = Valkey(tmp_path / "valkey", ports=Ports(tmp_path / "ports"), password="x", log=tmp_path / "log")
    settings.REDIS_URL = broker.url
    mine = bucket(burst=2)
    with running(broker):
        assert allowed([take(buckets=[mine]) for _ in range(3)]) == [True, True, False]
        assert not rate_limits._local._full_at
    assert allowed([take(buckets=[mine]) for _ in range(3)]) == [True, True, False]
    assert rate_limits._local._full_at.keys() == {mine.name}
    with running(broker):
        assert allowed([take(buckets=[mine]) for _ in range(3)]) == [True, True, False]
    assert [line.message.partition(":")[0] for line in caplog.records if line.name == "tenants.rate_limits"] == [
        "rate limits are each process's own for now",
        "rate limits are in Redis again",
    ]


@contextmanager
def running(broker: Valkey) -> Iterator[None]:
    """Killed at the end."""
    broker.prepare()
    broker.process.start()
    try:
        while not broker.answers():
            assert broker.process.alive
            time.sleep(0.02)
        yield
    finally:
        broker.process.kill()
        broker.process.wait(10)


def test_after_a_failure_one_thread_tries_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "AWAY_SECONDS", 0.05)
    circuit = Circuit()
    assert [circuit.lets_pass() for _ in range(3)] == [True] * 3
    assert [circuit.tell(failed=True), circuit.tell(failed=True)] == [True, False]
    assert not circuit.lets_pass()
    monkeypatch.setattr(rate_limits, "AWAY_SECONDS", 60)
    time.sleep(0.06)
    assert [circuit.lets_pass() for _ in range(3)] == [True, False, False]
    assert circuit.tell(failed=False)
    assert [circuit.lets_pass() for _ in range(3)] == [True] * 3


def test_the_process_keeps_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MOST_LOCAL", 10)
    local = LocalBuckets()
    emptied = bucket(burst=50)
    for _ in range(40):
        local.take([emptied])
    for _ in range(100):
        local.take([bucket()])
        assert len(local._full_at) <= 11
    # Those that matter stay.
    assert local.take([emptied]) == (True, [pytest.approx(41 * emptied.interval, rel=0.01)])
