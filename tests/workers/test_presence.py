"""A worker's row: there while it lives, marked while it drains, gone when it left."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.workers.outages import Switch
from workers import tasks
from workers.domain import execution, queries, registry
from workers.models import Worker


@pytest.fixture
def presence(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tasks._Presence]:
    monkeypatch.setattr(tasks, "_BEAT_SECONDS", 0.05)
    made = tasks._Presence()
    made.start()
    yield made
    made.stop()
    assert not made._thread.is_alive()


def _until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.02)


def _row() -> Worker | None:
    return Worker.objects.first()


def test_it_appears_with_its_slots_and_beats(presence: tasks._Presence) -> None:
    _until(_row)
    first = Worker.objects.get()
    assert (first.name, first.pool, first.slots, first.draining) == (presence.name, "cpu", 2, False)
    assert queries.live_worker_count() == 1

    _until(lambda: Worker.objects.get().seen_at > first.seen_at)
    assert Worker.objects.get().started_at == first.started_at


def test_it_drains_and_leaves(presence: tasks._Presence) -> None:
    _until(_row)
    presence.drain()
    assert execution.draining.is_set()
    _until(lambda: Worker.objects.get().draining)
    assert queries.live_worker_count() == 0

    presence.stop()

    assert not Worker.objects.exists()


def test_a_row_that_was_taken_away_is_made_again_and_still_drains(presence: tasks._Presence) -> None:
    _until(_row)
    presence.drain()
    _until(lambda: Worker.objects.get().draining)
    old = Worker.objects.get().id
    Worker.objects.all().delete()

    _until(lambda: Worker.objects.filter(draining=True).exclude(id=old))


def test_it_outlives_an_outage_of_the_database(presence: tasks._Presence, switch: Switch) -> None:
    _until(_row)
    before = Worker.objects.get().seen_at
    with switch.outage():
        time.sleep(0.3)

    _until(lambda: Worker.objects.get().seen_at > before)
    assert Worker.objects.count() == 1


def test_a_worker_that_ends_before_it_is_ready_has_nothing_to_take_away() -> None:
    tasks._Presence().stop()


def test_rows_of_the_long_dead_are_cleared_away(database: str) -> None:
    for name in ("dead", "just_dead"):
        registry.enter(name=name, pool="cpu", slots=1)
    Worker.objects.filter(name="dead").update(seen_at=timezone.now() - timedelta(hours=2))
    Worker.objects.filter(name="just_dead").update(seen_at=timezone.now() - timedelta(minutes=2))

    registry.enter(name="new", pool="cpu", slots=1)

    assert set(Worker.objects.values_list("name", flat=True)) == {"just_dead", "new"}
    assert queries.live_worker_count() == 1
