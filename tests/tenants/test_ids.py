"""UUIDv7: version and variant, order, time."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenants import ids
from tenants.ids import uuid7


def milliseconds(value: uuid.UUID) -> int:
    return value.int >> 80


def test_version_and_variant() -> None:
    for _ in range(1000):
        made = uuid7()
        assert made.version == 7
        assert made.variant == uuid.RFC_4122


def test_begins_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000

    # Others may have been made in the same moment, each counting the time part on by a quarter of a microsecond.
    assert before <= milliseconds(made) <= after + 1


def test_grows_even_within_a_microsecond() -> None:
    made = [uuid7() for _ in range(20_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_sorts_as_text_as_it_does_as_a_number() -> None:
    made = [uuid7() for _ in range(100)]

    assert sorted(map(str, made)) == [str(value) for value in made]


def test_grows_in_each_thread_and_never_repeats() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [uuid7() for _ in range(2_000)], range(8)))

    assert all(batch == sorted(batch) for batch in batches)
    assert len({value for batch in batches for value in batch}) == 16_000


def test_grows_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    later = [uuid7(), uuid7()]

    assert first < later[0] < later[1]


def test_the_random_part_differs() -> None:
    tails = {uuid7().int & ((1 << 62) - 1) for _ in range(1000)}

    assert len(tails) == 1000


def test_follows_the_clock_again_once_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_123_456_789)

    assert milliseconds(uuid7()) == 1_700_000_000_123
