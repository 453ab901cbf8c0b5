"""The cache of models' weights: the cap holds, tenants do not mix, and one load serves who asks meanwhile."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet.domain.byte_cache import ByteCache, Sized

ACME, BOLT = uuid.uuid4(), uuid.uuid4()


def loading(text: str, size: int, loads: list[str]) -> Callable[[], Sized[str]]:
    def load() -> Sized[str]:
        loads.append(text)
        return Sized(text, size)

    return load


def test_a_second_call_loads_nothing() -> None:
    cache, loads = ByteCache[str](100), list[str]()
    answers = [cache.get(tenant_id=ACME, sha256="a", load=loading("x", 10, loads)) for _ in range(2)]
    assert (answers, loads, cache.size) == (["x", "x"], ["x"], 10)


def test_equal_hashes_of_two_tenants_are_two_entries() -> None:
    cache, loads = ByteCache[str](100), list[str]()
    assert cache.get(tenant_id=ACME, sha256="a", load=loading("acme's", 10, loads)) == "acme's"
    assert cache.get(tenant_id=BOLT, sha256="a", load=loading("bolt's", 10, loads)) == "bolt's"
    assert cache.get(tenant_id=ACME, sha256="a", load=loading("new", 10, loads)) == "acme's"
    assert (len(cache), cache.size) == (2, 20)


def test_least_recently_used_goes_first_and_the_cap_holds() -> None:
    cache, loads = ByteCache[str](30), list[str]()
    for name in ("a", "b", "c", "a", "d"):  # a is used again before d comes, so b goes
        cache.get(tenant_id=ACME, sha256=name, load=loading(name, 10, loads))
        assert cache.size <= 30
    cache.get(tenant_id=ACME, sha256="a", load=loading("a again", 10, loads))
    cache.get(tenant_id=ACME, sha256="b", load=loading("b again", 10, loads))
    assert loads == ["a", "b", "c", "d", "b again"]
    assert (len(cache), cache.size) == (3, 30)


def test_one_large_entry_makes_room_of_several() -> None:
    cache, loads = ByteCache[str](30), list[str]()
    for name in "abc":
        cache.get(tenant_id=ACME, sha256=name, load=loading(name, 10, loads))
    cache.get(tenant_id=ACME, sha256="large", load=loading("large", 25, loads))
    assert (len(cache), cache.size) == (1, 25)


def test_what_is_larger_than_the_cap_is_given_and_not_kept() -> None:
    cache, loads = ByteCache[str](30), list[str]()
    cache.get(tenant_id=ACME, sha256="a", load=loading("a", 10, loads))
    assert cache.get(tenant_id=ACME, sha256="huge", load=loading("huge", 31, loads)) == "huge"
    assert (len(cache), cache.size) == (1, 10)


def test_who_asks_meanwhile_waits_for_the_one_load() -> None:
    cache, loads, begun, go = ByteCache[str](100), list[str](), threading.Event(), threading.Event()

    def slow() -> Sized[str]:
        loads.append("once")
        begun.set()
        assert go.wait(10)
        return Sized("x", 10)

    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(cache.get, tenant_id=ACME, sha256="a", load=slow)
        assert begun.wait(10)
        others = [threads.submit(cache.get, tenant_id=ACME, sha256="a", load=slow) for _ in range(5)]
        assert cache.get(tenant_id=BOLT, sha256="a", load=loading("y", 10, [])) == "y"  # others do not wait
        go.set()
        assert [other.result(10) for other in (first, *others)] == ["x"] * 6
    assert loads == ["once"]


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    cache, begun, go = ByteCache[str](100), threading.Event(), threading.Event()

    def failing() -> Sized[str]:
        begun.set()
        assert go.wait(10)
        raise LookupError("gone")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get, tenant_id=ACME, sha256="a", load=failing)
        assert begun.wait(10)
        second = threads.submit(cache.get, tenant_id=ACME, sha256="a", load=failing)
        go.set()
        for asked in (first, second):
            with pytest.raises(LookupError):
                asked.result(10)
    assert cache.get(tenant_id=ACME, sha256="a", load=loading("there", 10, [])) == "there"
    assert (len(cache), cache.size) == (1, 10)


def test_the_books_are_right_after_many_threads() -> None:
    cache = ByteCache[int](500)

    def ask(number: int) -> int:
        tenant = (ACME, BOLT)[number % 2]
        return cache.get(tenant_id=tenant, sha256=str(number % 40), load=lambda: Sized(number % 40, 10 + number % 40))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(4000)))
    assert answers == [number % 40 for number in range(4000)]
    assert cache.size == sum(sized.size for sized in cache._kept.values()) <= 500
