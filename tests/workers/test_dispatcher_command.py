"""`manage.py dispatcher`: one turns, the others wait; it outlives its database and its broker."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from psycopg2 import extensions

from tests.workers.outages import Switch
from tests.workers.queues import POOL, Works, with_own_connections
from workers.domain import dispatching, registry
from workers.models import Dispatcher

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _dispatch_while(meanwhile: Callable[[], None]) -> None:
    """Runs the command here until `meanwhile`, in a thread, is done; then ends it by SIGTERM."""
    errors: list[BaseException] = []

    def accompany() -> None:
        try:
            meanwhile()
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=with_own_connections(accompany))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until the command listens
    thread.start()
    call_command("dispatcher")
    thread.join(PATIENCE)
    if errors:
        raise errors[0]


def _until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.05)


def _seen_at() -> object:
    try:
        return Dispatcher.objects.values_list("seen_at", flat=True).first()
    except OperationalError:
        connections.close_all()
        return None


def _turns() -> bool:
    """Whether it turns now."""
    before = _seen_at()
    _until(lambda: _seen_at() not in (None, before))
    return True


def test_it_turns_until_it_is_told_to_end(acme: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr("workers.wakeups.send", lambda *, job_id, pool: sent.append((job_id, pool)))
    registry.enter(name="w", pool=POOL, slots=2)
    job_id = acme.enqueue()

    _dispatch_while(lambda: _until(lambda: sent))

    assert sent == [(job_id, POOL)]


def test_a_second_one_waits_and_takes_over(database: str, caplog: pytest.LogCaptureFixture) -> None:
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}").geturl()
    first = psycopg2.connect(address)
    with first.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [dispatching.ADVISORY_LOCK])

    def meanwhile() -> None:
        _until(lambda: "another dispatcher turns" in caplog.text)
        time.sleep(0.3)
        assert _seen_at() is None
        first.close()
        assert _turns()

    with closing(first):
        caplog.set_level("INFO")
        _dispatch_while(meanwhile)


def test_two_do_not_hold_the_lock(database: str) -> None:
    assert dispatching.is_sole_dispatcher()
    answers: list[bool] = []
    thread = threading.Thread(target=with_own_connections(lambda: answers.append(dispatching.is_sole_dispatcher())))
    thread.start()
    thread.join(PATIENCE)

    assert answers == [False]


def test_it_outlives_an_outage_of_the_database(database: str, switch: Switch) -> None:
    def meanwhile() -> None:
        assert _turns()
        with switch.outage():
            time.sleep(0.3)
        assert _turns()

    _dispatch_while(meanwhile)


def test_it_takes_the_lock_anew_when_its_session_was_ended(
    database: str, superuser: extensions.connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def meanwhile() -> None:
        assert _turns()
        with superuser.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        _until(lambda: caplog.text.count("dispatching") == 2)
        assert _turns()

    _dispatch_while(meanwhile)
