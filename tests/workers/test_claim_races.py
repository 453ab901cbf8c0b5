"""Claims, reaping and enqueueing at the same time: nothing twice, nothing lost, nobody stuck."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection
from psycopg2 import extensions

from tenants import jobs
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.workers.queues import Works, claim, fill, lease_of, make_works, with_own_connections
from workers.domain import dispatching, leases

THREADS = 8


@contextmanager
def _together(*works: Callable[[], None]) -> Iterator[None]:
    """Runs all at the same time, the block among them; raises the first error."""
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(with_own_connections(work)) for work in works]
        yield
        for one in running:
            one.result(timeout=60)


def test_eight_claimers_never_take_one_job_twice(database: str, superuser: extensions.connection) -> None:
    tenants = [make_works() for _ in range(5)]
    for works in tenants:
        works.set_queue(running_cap=1000)
        fill(superuser, works, 60)
    taken: list[uuid.UUID] = []

    def take() -> None:
        empty = 0
        while empty < 20:  # a claim comes back empty-handed also when another holds the last tenants' rows
            job_id = claim()
            empty = 0 if job_id else empty + 1
            if job_id:
                taken.append(job_id)

    with _together(*[take] * THREADS):
        pass

    assert len(taken) == 300
    assert Counter(taken).most_common(1)[0][1] == 1
    assert [works.counters() for works in tenants] == [(0, 60)] * 5


def test_all_at_once_keeps_the_counters_exact(database: str, superuser: extensions.connection) -> None:
    """Claimers, workers, reapers, customers who enqueue and cancel, over the same few tenants."""
    tenants = [make_works() for _ in range(3)]
    for works in tenants:
        works.set_queue(running_cap=1000)
        fill(superuser, works, 40)

    def repeated(what: Callable[[random.Random], object], seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def run() -> None:
            for _ in range(25):
                what(chance)

        return run

    def ask(chance: random.Random) -> None:
        _ask(chance.choice(tenants), key=str(chance.randrange(5)), cancel=chance.random() < 0.5)

    workers = [repeated(lambda chance: _work(chance, superuser), seed) for seed in range(4)]
    others = [repeated(lambda _chance: dispatching.reap(), 4), repeated(ask, 5), repeated(ask, 6)]
    with _together(*workers, *others):
        pass

    for works in tenants:
        works.counters()


def _work(chance: random.Random, superuser: extensions.connection) -> None:
    job_id = claim()
    lease = leases.take_lease(job_id=job_id, worker="w") if job_id and chance.random() < 0.9 else None
    if lease is not None:
        _end_somehow(lease, chance, superuser)


def _end_somehow(lease: leases.Lease, chance: random.Random, superuser: extensions.connection) -> None:
    end = chance.choice(["succeed", "back", "fail", "expire"])
    if end == "expire":
        with superuser.cursor() as cursor:
            cursor.execute("UPDATE tenants_job SET expires_at = now() WHERE id = %s", [str(lease.job_id)])
        return
    try:
        if end == "succeed":
            leases.succeed(lease, result={}, progress={})
        elif end == "back":
            leases.give_back(lease)
        else:
            leases.fail(lease, error={"code": "x", "message": "x", "hint": "x"})
    except jobs.LeaseLost:
        return  # replaced or canceled meanwhile


def _ask(works: Works, *, key: str, cancel: bool) -> None:
    with tenant_scope(works.id):
        jobs.enqueue(kind="work", key=key, spec={}, on_duplicate=jobs.OnDuplicate.REPLACE)
        active = Job.objects.filter(state__in=Job.ACTIVE).order_by("?").first()
    if active is not None and cancel:
        with tenant_scope(works.id):
            jobs.cancel(job_id=active.id)


def test_a_tenants_open_transaction_holds_up_nobody_else(acme: Works, bolt: Works) -> None:
    """It holds its queue's row: claims pass it by, the reaper leaves its jobs alone."""
    late = lease_of(acme)
    acme.enqueue()
    others = bolt.enqueue()
    acme.change(late.job_id, expires_at=late.started_at)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with tenant_scope(acme.id):
            jobs.lock_queue(pool="cpu")
            held.set()
            done.wait(30)

    with _together(hold):
        held.wait(30)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = '5s'")
            assert claim() == others
            assert claim() is None
            assert dispatching.reap() == 0
        finally:
            done.set()

    assert dispatching.reap() == 1


def test_two_workers_that_are_woken_for_one_job_share_one_lease(acme: Works) -> None:
    job_id = acme.enqueue()
    assert claim() == job_id
    taken: list[leases.Lease | None] = []

    with _together(*[lambda: taken.append(leases.take_lease(job_id=job_id, worker="w"))] * THREADS):
        pass

    assert len([lease for lease in taken if lease]) == 1
    assert acme.job(job_id).token == 1
