"""The dispatcher sends no more than free slots can start, and keeps some for short jobs."""

import uuid
from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone
from psycopg2 import extensions

from tenants.models import Job, Pool
from tests.workers.conftest import Register
from tests.workers.queues import POOL, Works, claim, expire, fill, lease_of
from workers.domain import dispatching, leases, registry
from workers.models import Dispatcher, Worker

_numbers = count()


class Sent:
    """Stands where the broker is; keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.messages: list[tuple[uuid.UUID, str]] = []
        self.away = False

    def __call__(self, *, job_id: uuid.UUID, pool: str) -> None:
        if self.away:
            raise ConnectionError("the broker is away")
        self.messages.append((job_id, pool))

    def turn(self) -> int:
        return dispatching.turn(send=self).sent


@pytest.fixture
def sent() -> Sent:
    return Sent()


def _worker(slots: int, *, pool: str = POOL, short_slots: int = 0) -> uuid.UUID:
    worker_id = registry.enter(name=f"worker:{next(_numbers)}", pool=pool, slots=slots)
    Pool.objects.filter(name=pool).update(short_slots=short_slots)
    return worker_id


def _free() -> tuple[int, int]:
    return dispatching.free_slots(Pool.objects.get(name=POOL))


def test_no_more_is_sent_than_can_start(acme: Works, superuser: extensions.connection, sent: Sent) -> None:
    fill(superuser, acme, 50)
    acme.set_queue(running_cap=100)
    _worker(2)
    _worker(3)

    assert sent.turn() == 5
    assert sent.turn() == 0
    first, _ = sent.messages[0]
    lease = leases.take_lease(job_id=first, worker="w")
    assert lease is not None
    leases.succeed(lease, result={}, progress={})

    assert sent.turn() == 1
    assert acme.counters() == (44, 5)
    assert len({job_id for job_id, _ in sent.messages}) == 6


def test_without_a_living_worker_nothing_is_sent(acme: Works, sent: Sent) -> None:
    acme.enqueue()
    draining, dead = _worker(2), _worker(2)
    registry.drain(worker_id=draining)
    Worker.objects.filter(id=dead).update(seen_at=timezone.now() - timedelta(minutes=1))

    assert sent.turn() == 0
    assert registry.beat(worker_id=dead)
    assert sent.turn() == 1


def test_a_worker_that_dies_takes_its_slots_with_it(acme: Works, sent: Sent) -> None:
    """What it ran still counts until it is reaped: never more than the living can start."""
    acme.set_queue(running_cap=100)
    _worker(2)
    dead = _worker(2)
    for _ in range(3):
        lease_of(acme)
    acme.enqueue()
    registry.leave(worker_id=dead)

    assert _free() == (0, 0)
    assert sent.turn() == 0


def test_each_pool_gets_its_own(acme: Works, sent: Sent, register: Register) -> None:
    from tenants import jobs

    jobs._kinds.pop("work")
    jobs.register(jobs.Kind(name="work", handler=lambda _context: {}, pool="gpu", lane=Job.Lane.LONG))
    register(lambda _context: {}, name="other")
    on_gpu, on_cpu = acme.enqueue(), acme.enqueue(kind="other")
    _worker(1)
    _worker(1, pool="gpu")

    assert sent.turn() == 2
    assert dict(sent.messages) == {on_gpu: "gpu", on_cpu: "cpu"}


def test_reserved_slots(acme: Works, register: Register) -> None:
    register(lambda _context: {}, name="L", lane="LONG")
    register(lambda _context: {}, name="S", lane="SHORT")
    acme.set_queue(running_cap=100)
    _worker(1)
    for slots, short_slots, running, free in [
        (0, 1, "", (0, 0)),
        (1, 1, "", (1, 0)),  # a lone slot is not reserved
        (2, 1, "", (1, 1)),
        (2, 1, "L", (0, 1)),  # the reserved one waits for a short job
        (2, 1, "S", (1, 0)),  # a short one took its slot: the other is for anybody
        (4, 1, "LS", (2, 0)),
        (4, 2, "LL", (0, 2)),
        (4, 2, "LSS", (1, 0)),
        (2, 0, "L", (1, 0)),
        (2, 1, "LLS", (0, 0)),  # more than there are slots: a worker has gone
    ]:
        Worker.objects.update(slots=slots)
        Pool.objects.update(short_slots=short_slots)
        held = [lease_of(acme, kind=kind) for kind in running]

        assert _free() == free, (slots, short_slots, running)

        for lease in held:
            leases.succeed(lease, result={}, progress={})


def test_short_jobs_do_not_keep_long_ones_out(acme: Works, bolt: Works, register: Register, sent: Sent) -> None:
    """Both slots run short jobs, and more wait; as they end one by one, the long job gets its turn."""
    register(lambda _context: {}, name="long", lane="LONG")
    _worker(2, short_slots=1)
    for _ in range(10):
        bolt.enqueue()
    assert sent.turn() == 2
    long = acme.enqueue(kind="long")

    for ended in range(4):
        lease = leases.take_lease(job_id=sent.messages[ended][0], worker="w")
        assert lease is not None
        leases.succeed(lease, result={}, progress={})
        assert sent.turn() == 1

    assert long in [job_id for job_id, _ in sent.messages]


def test_a_long_job_never_takes_the_reserved_slot(acme: Works, register: Register, sent: Sent) -> None:
    register(lambda _context: {}, name="long", lane="LONG")
    _worker(3, short_slots=1)
    for _ in range(5):
        acme.enqueue(kind="long")

    assert sent.turn() == 2
    short = acme.enqueue()
    assert sent.turn() == 1
    assert sent.messages[-1] == (short, POOL)


def test_while_the_broker_is_away_jobs_wait_and_no_attempt_is_used(acme: Works, sent: Sent) -> None:
    _worker(2)
    job_id = acme.enqueue()
    sent.away = True

    assert sent.turn() == 1
    assert acme.job(job_id).state == Job.State.DISPATCHED
    assert sent.turn() == 0

    sent.away = False
    expire(acme, job_id)
    done = dispatching.turn(send=sent)
    assert (done.reaped, done.sent) == (1, 1)
    lease = leases.take_lease(job_id=job_id, worker="w")
    assert lease is not None
    assert lease.attempts == 1


def test_a_turn_shows_that_the_dispatcher_lives(database: str, sent: Sent) -> None:
    from workers.domain import queries

    assert not queries.dispatcher_is_alive()
    sent.turn()
    assert queries.dispatcher_is_alive()
    Dispatcher.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
    assert not queries.dispatcher_is_alive()
    sent.turn()
    assert Dispatcher.objects.count() == 1
    assert queries.dispatcher_is_alive()


def test_a_capped_tenant_leaves_slots_free(acme: Works, sent: Sent) -> None:
    acme.set_queue(running_cap=1)
    acme.enqueue()
    acme.enqueue()
    _worker(4)

    assert sent.turn() == 1
    assert claim() is None
