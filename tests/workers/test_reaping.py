"""What becomes of a job whose worker did not take it, or died with it."""

import pytest
from django.utils import timezone

from tenants.jobs import LeaseLost
from tenants.models import Job
from tests.workers.queues import Works, claim, expire, lease_of
from workers.domain import dispatching, leases


def test_a_dispatch_nobody_took_goes_back_and_was_no_attempt(acme: Works) -> None:
    job_id = acme.enqueue()
    for _ in range(7):  # more often than a job has attempts
        assert claim() == job_id
        expire(acme, job_id)
        assert dispatching.reap() == 1

    job = acme.job(job_id)
    assert (job.state, job.attempts, job.expires_at, job.error) == (Job.State.PENDING, 0, None, None)
    assert acme.counters() == (1, 0)


def test_a_running_job_goes_back_and_its_old_worker_is_fenced_off(acme: Works) -> None:
    old = lease_of(acme)
    expire(acme, old.job_id)
    assert dispatching.reap() == 1
    assert (acme.job(old.job_id).state, acme.job(old.job_id).attempts) == (Job.State.PENDING, 1)
    assert acme.counters() == (1, 0)

    assert claim() == old.job_id
    new = leases.take_lease(job_id=old.job_id, worker="another")
    assert new is not None
    assert (new.token, new.attempts) == (old.token + 1, 2)
    with pytest.raises(LeaseLost):
        leases.renew(old, progress=None)


def test_a_job_keeps_its_place_in_the_queue(acme: Works) -> None:
    first, second = acme.enqueue(), acme.enqueue()
    assert claim() == first
    expire(acme, first)
    dispatching.reap()

    assert [claim(), claim()] == [first, second]


def test_attempts_run_out_in_the_end(acme: Works) -> None:
    job_id = acme.enqueue()
    for _ in range(5):
        assert claim() == job_id
        assert leases.take_lease(job_id=job_id, worker="doomed") is not None
        expire(acme, job_id)
        assert dispatching.reap() == 1

    job = acme.job(job_id)
    assert (job.state, job.attempts) == (Job.State.FAILED, 5)
    assert job.finished_at is not None
    assert job.error == dispatching.INTERRUPTED
    assert set(job.error) == {"code", "message", "hint"}
    assert acme.counters() == (0, 0)
    assert claim() is None


@pytest.mark.parametrize("taken", [False, True])
def test_a_job_that_was_to_be_canceled_ends(acme: Works, taken: bool) -> None:
    job_id = acme.enqueue()
    assert claim() == job_id
    if taken:
        leases.take_lease(job_id=job_id, worker="dead")
    acme.change(job_id, cancel_requested_at=timezone.now())
    expire(acme, job_id)

    assert dispatching.reap() == 1

    job = acme.job(job_id)
    assert (job.state, job.error) == (Job.State.CANCELED, None)
    assert job.finished_at is not None
    assert acme.counters() == (0, 0)


def test_what_is_still_held_stays(acme: Works) -> None:
    lease = lease_of(acme)
    waiting = acme.enqueue()

    assert dispatching.reap() == 0

    assert acme.job(lease.job_id).state == Job.State.RUNNING
    assert acme.job(waiting).state == Job.State.PENDING


def test_all_that_is_late_goes_back_in_one_turn_up_to_a_limit(acme: Works) -> None:
    acme.set_queue(running_cap=100)
    for _ in range(5):
        expire(acme, lease_of(acme).job_id)

    assert dispatching.reap(most=3) == 3
    assert dispatching.reap() == 2
    assert acme.counters() == (5, 0)
