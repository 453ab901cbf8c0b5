"""Who is served next: fair turns by virtual time, weights, caps, lanes, due times."""

from datetime import timedelta

from django.utils import timezone
from psycopg2 import extensions

from tenants.models import Job, Pool
from tests.workers.conftest import Register
from tests.workers.queues import POOL, Works, claim, claims, expire, fill, make_works
from workers.domain import dispatching, registry


def _pool(**values: float) -> Pool:
    registry.enter(name="worker", pool=POOL, slots=100)
    Pool.objects.filter(name=POOL).update(**values)
    return Pool.objects.get(name=POOL)


def test_a_tenant_with_thousands_waiting_gets_one_turn_in_three_tenants(
    acme: Works, superuser: extensions.connection
) -> None:
    _pool()
    newcomers = [make_works() for _ in range(2)]
    fill(superuser, acme, 5000)
    acme.set_queue(running_cap=10_000)
    claims(50, [acme])
    for newcomer in newcomers:
        newcomer.set_queue(running_cap=10_000)
        fill(superuser, newcomer, 40)

    served = claims(60, [acme, *newcomers])

    assert all(19 <= served.count(place) <= 21 for place in range(3))
    assert max(served.index(1), served.index(2)) < 3, "a newcomer's first job is among the next three, whatever waits"


def test_many_newcomers_are_all_served_before_the_noisy_one_again(
    acme: Works, superuser: extensions.connection
) -> None:
    _pool()
    fill(superuser, acme, 2000)
    newcomers = [make_works() for _ in range(30)]
    for newcomer in newcomers:
        newcomer.enqueue()

    served = claims(31, [acme, *newcomers])

    assert sorted(served) == list(range(31))


def test_the_oldest_job_of_a_tenant_goes_first(acme: Works) -> None:
    _pool()
    waiting = [acme.enqueue() for _ in range(4)]

    assert [claim() for _ in range(4)] == waiting


def test_weight_buys_turns(acme: Works, bolt: Works, superuser: extensions.connection) -> None:
    _pool()
    acme.set_queue(weight=3, running_cap=1000)
    bolt.set_queue(running_cap=1000)
    fill(superuser, acme, 100)
    fill(superuser, bolt, 100)

    served = claims(40, [acme, bolt])

    assert served.count(0) == 30


def test_a_tenant_at_its_cap_is_passed_over_and_served_again_below_it(acme: Works, bolt: Works) -> None:
    _pool()
    acme.set_queue(running_cap=2)
    bolt.set_queue(running_cap=1)
    first, *_ = [acme.enqueue() for _ in range(5)]
    bolt.enqueue()

    assert sorted(claims(3, [acme, bolt])) == [0, 0, 1]
    assert claim() is None, "both are at their caps"

    acme.change(first, expires_at=timezone.now() - timedelta(seconds=1), cancel_requested_at=timezone.now())
    assert dispatching.reap() == 1
    assert claims(1, [acme, bolt]) == [0]
    assert acme.counters() == (2, 2)


def test_nothing_is_served_before_it_is_due(acme: Works, bolt: Works) -> None:
    _pool()
    early, late = acme.enqueue(), acme.enqueue()
    acme.change(early, due_at=timezone.now() + timedelta(hours=1))

    assert claim() == late
    assert claim() is None

    acme.change(early, due_at=timezone.now() - timedelta(seconds=1))
    assert claim() == early


def test_reserved_slots_take_short_jobs_only(acme: Works, bolt: Works, register: Register) -> None:
    _pool()
    register(lambda _context: {}, name="long", lane="LONG")
    acme.enqueue(kind="long")
    short = bolt.enqueue()
    bolt.set_queue(virtual_time=50)

    assert claim(short_only=True) == short
    assert claim(short_only=True) is None
    assert claim() is not None


def test_a_newcomer_starts_at_the_pools_clock(acme: Works, bolt: Works, superuser: extensions.connection) -> None:
    _pool()
    acme.set_queue(running_cap=1000)
    fill(superuser, acme, 200)
    claims(100, [acme])

    bolt.set_queue(running_cap=1000)
    fill(superuser, bolt, 100)

    assert claims(20, [acme, bolt]).count(1) in (10, 11), "it may have the first turn, and no credit beyond"


def test_a_tenant_that_was_away_has_hoarded_no_credit(
    acme: Works, bolt: Works, superuser: extensions.connection
) -> None:
    """Its job ran through a hundred turns of others, died, came back, and more were put behind it."""
    _pool()
    bolt.set_queue(running_cap=1000)
    lost = bolt.enqueue()
    assert claim() == lost
    acme.set_queue(running_cap=1000)
    fill(superuser, acme, 300)
    claims(100, [acme])
    expire(bolt, lost)
    assert dispatching.reap() == 1
    fill(superuser, bolt, 100)

    assert claims(20, [acme, bolt]).count(1) in (10, 11)


def test_a_tenant_that_was_capped_has_hoarded_no_credit(
    acme: Works, bolt: Works, superuser: extensions.connection
) -> None:
    _pool()
    bolt.set_queue(running_cap=0)
    fill(superuser, bolt, 100)
    acme.set_queue(running_cap=1000)
    fill(superuser, acme, 300)
    claims(100, [acme])

    bolt.set_queue(running_cap=1000)

    assert claims(20, [acme, bolt]).count(1) in (10, 11)


def test_pools_do_not_see_each_other(acme: Works) -> None:
    _pool()
    acme.enqueue()
    assert dispatching.claim(pool="gpu", short_only=False) is None
    assert claim() is not None


def test_a_claim_counts_the_attempt_and_sets_the_grace(acme: Works, settings: object) -> None:
    _pool()
    job_id = acme.enqueue()
    before = timezone.now()

    assert claim() == job_id

    job = acme.job(job_id)
    assert (job.state, job.attempts, job.token) == (Job.State.DISPATCHED, 1, 0)
    assert job.expires_at is not None
    assert timedelta(seconds=25) < job.expires_at - before < timedelta(seconds=60)
    assert acme.counters() == (0, 1)
