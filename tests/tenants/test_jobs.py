"""The third door: asking for work once, cancelling it, and counters that are exact."""

import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from django.db.models import Q

from tenants import jobs
from tenants.ids import uuid7
from tenants.jobs import DuplicateJob, JobContext, Kind, LeaseLost, OnDuplicate, enqueue
from tenants.models import Job, Pool, TenantQueue
from tenants.scope import NoScope, tenant_scope
from tests.cast import Cast
from tests.tenants.rolled_back import rolled_back
from tests.tenants.threads import together
from workers.domain import leases
from workers.domain.dispatching import claim, reap

State = Job.State


def nothing(context: JobContext) -> dict[str, object]:
    return {}


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_kinds", {})
    jobs.register(Kind("test.short", nothing, pool="cpu", lane=Job.Lane.SHORT))
    jobs.register(Kind("test.long", nothing, pool="gpu", lane=Job.Lane.LONG, max_attempts=2))


def ask(key: str = "k", *, kind: str = "test.short", on_duplicate: OnDuplicate = OnDuplicate.OMIT) -> tuple[Job, bool]:
    return enqueue(kind=kind, key=key, spec={"key": key}, on_duplicate=on_duplicate)


def counters(pool: str = "cpu") -> tuple[int, int]:
    queue = TenantQueue.objects.get(pool=pool)
    return queue.waiting, queue.running


def counted(pool: str = "cpu") -> tuple[int, int]:
    """What the counters should be, counted."""
    rows = Job.objects.filter(pool=pool)
    running = rows.filter(state__in=[State.DISPATCHED, State.RUNNING])
    return rows.filter(state=State.PENDING).count(), running.count()


def bring(job: Job, state: str) -> None:
    """Moves a job that waits to another active state, as the dispatcher and a worker would."""
    if state == State.PENDING:
        return
    Job.objects.filter(id=job.id).update(state=state)
    TenantQueue.objects.filter(pool=job.pool).update(waiting=0, running=1)


def test_a_job_is_a_row_of_the_callers_transaction(standing_cast: Cast) -> None:
    tenant = standing_cast.alice.tenant.id
    with rolled_back(tenant):
        job, is_new = ask()
        assert is_new
        assert (job.state, job.pool, job.lane, job.max_attempts) == ("PENDING", "cpu", "SHORT", 5)
        assert (job.spec, job.attempts, job.token) == ({"key": "k"}, 0, 0)
        assert counters() == counted() == (1, 0)

    with tenant_scope(tenant):
        assert not Job.objects.exists()
        assert not TenantQueue.objects.exists()


def test_a_kind_says_where_and_how_often_its_jobs_run(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask(kind="test.long")

        assert (job.pool, job.lane, job.max_attempts) == ("gpu", "LONG", 2)
        assert counters("gpu") == (1, 0)


def test_a_job_needs_a_tenant_and_a_known_kind(standing_cast: Cast) -> None:
    with pytest.raises(NoScope):
        ask()
    with rolled_back(standing_cast.alice.tenant.id), pytest.raises(KeyError):
        ask(kind="test.unknown")


def test_a_kind_is_registered_once() -> None:
    with pytest.raises(ValueError, match=r"test\.short"):
        jobs.register(Kind("test.short", nothing, pool="cpu", lane=Job.Lane.SHORT))
    assert {kind.name for kind in jobs.registered_kinds()} == {"test.short", "test.long"}


@pytest.mark.parametrize("state", Job.ACTIVE)
def test_asking_again_gives_the_active_job(state: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        bring(job, state)

        assert ask() == (job, False)
        assert counters() == counted()


@pytest.mark.parametrize("state", Job.ACTIVE)
def test_asking_again_may_be_refused(state: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        bring(job, state)

        with pytest.raises(DuplicateJob) as refusal:
            ask(on_duplicate=OnDuplicate.REJECT)
        assert refusal.value.extra == {"job": str(job.id)}
        assert (refusal.value.status, refusal.value.code) == (409, "duplicate_job")
        assert counters() == counted()


@pytest.mark.parametrize("state", Job.ACTIVE)
def test_asking_again_may_replace_the_active_job(state: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        bring(job, state)
        newer, is_new = ask(on_duplicate=OnDuplicate.REPLACE)
        job.refresh_from_db()

        assert is_new
        assert newer.id != job.id
        assert (job.state, newer.state) == ("CANCELED", "PENDING")
        assert job.finished_at is not None
        assert counters() == counted() == (1, 0)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_an_ended_job_frees_its_key(state: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        Job.objects.filter(id=job.id).update(state=state)
        for policy in OnDuplicate:
            newer, is_new = ask(on_duplicate=policy)
            assert is_new
            Job.objects.filter(id=newer.id).update(state=state)


def test_kind_tenant_and_key_each_make_another_job(cast: Cast) -> None:
    with tenant_scope(cast.alice.tenant.id):
        made = [ask("a"), ask("b"), ask("a", kind="test.long")]
    with tenant_scope(cast.charlie.tenant.id):
        made.append(ask("a"))

    assert all(is_new for _, is_new in made)
    assert len({job.id for job, _ in made}) == 4


def test_a_waiting_job_is_cancelled_at_once(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        cancelled = jobs.cancel(job_id=job.id)

        assert (cancelled.state, cancelled.cancel_requested_at) == ("CANCELED", cancelled.finished_at)
        assert counters() == (0, 0)
        assert jobs.cancel(job_id=job.id).finished_at == cancelled.finished_at
        assert counters() == (0, 0), "cancelling twice counts once"


def test_a_dispatched_job_is_cancelled_at_once(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        bring(job, State.DISPATCHED)

        assert jobs.cancel(job_id=job.id).state == "CANCELED"
        assert counters() == (0, 0)


def test_a_running_job_is_asked_to_stop(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        bring(job, State.RUNNING)
        asked = jobs.cancel(job_id=job.id)

        assert asked.state == "RUNNING"
        assert asked.cancel_requested_at is not None
        assert counters() == (0, 1)
        assert jobs.cancel(job_id=job.id).cancel_requested_at == asked.cancel_requested_at


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_an_ended_job_stays_as_it_ended(state: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        job, _ = ask()
        Job.objects.filter(id=job.id).update(state=state)
        TenantQueue.objects.update(waiting=0)

        after = jobs.cancel(job_id=job.id)
        assert (after.state, after.cancel_requested_at) == (state, None)
        assert counters() == (0, 0)


def test_a_foreign_job_is_a_missing_one(cast: Cast) -> None:
    with tenant_scope(cast.charlie.tenant.id):
        job, _ = ask()

    with tenant_scope(cast.alice.tenant.id):
        for job_id in (job.id, uuid7()):
            with pytest.raises(Job.DoesNotExist):
                jobs.cancel(job_id=job_id)


def scoped_ask(tenant: uuid.UUID, key: str, policy: OnDuplicate) -> tuple[Job, bool]:
    with tenant_scope(tenant):
        return ask(key, on_duplicate=policy)


def test_eight_ask_for_the_same_at_the_same_moment(cast: Cast) -> None:
    tenant = cast.alice.tenant.id
    results = together([partial(scoped_ask, tenant, "k", OnDuplicate.OMIT)] * 8)

    made = [result for result in results if not isinstance(result, Exception)]
    assert len(made) == 8, results
    assert sum(is_new for _, is_new in made) == 1
    assert len({job.id for job, _ in made}) == 1
    with tenant_scope(tenant):
        assert counters() == counted() == (1, 0)


def test_eight_replace_the_same_at_the_same_moment(cast: Cast) -> None:
    tenant = cast.alice.tenant.id
    results = together([partial(scoped_ask, tenant, "k", OnDuplicate.REPLACE)] * 8)

    assert [result for result in results if isinstance(result, Exception)] == []
    with tenant_scope(tenant):
        assert Job.objects.filter(state=State.CANCELED).count() == 7
        assert counters() == counted() == (1, 0)


class Life:
    """One thread's random doings with two tenants' jobs; those it may lose to another are swallowed."""

    def __init__(self, seed: int, tenants: list[uuid.UUID]) -> None:
        self.random = random.Random(seed)
        self.tenants = tenants
        self.held: list[leases.Lease] = []

    def run(self, steps: int) -> int:
        doings: list[Callable[[], object]] = [
            self.ask,
            self.ask,
            self.take,
            self.take,
            self.end,
            self.cancel,
            self.reap,
        ]
        for _ in range(steps):
            with suppress(DuplicateJob, LeaseLost):
                self.random.choice(doings)()
        return steps

    def ask(self) -> None:
        with tenant_scope(self.random.choice(self.tenants)):
            ask(f"k{self.random.randrange(12)}", on_duplicate=self.random.choice(list(OnDuplicate)))

    def take(self) -> None:
        job_id = claim(pool="cpu", short_only=self.random.random() < 0.5)
        # A claim whose message is lost is never taken.
        if job_id is not None and self.random.random() < 0.8:
            lease = leases.take_lease(job_id=job_id, worker="w")
            if lease is not None:
                self.held.append(lease)

    def end(self) -> None:
        if not self.held:
            return
        lease = self.held.pop(self.random.randrange(len(self.held)))
        ending = self.random.randrange(5)
        if ending == 0:
            leases.fail(lease, error={"code": "x", "message": "x", "hint": "x"})
        elif ending == 1:
            leases.give_back(lease)
        elif ending == 2:
            leases.retry_later(lease, traceback="x")
        elif ending == 3:
            leases.end_canceled(lease)
        else:
            leases.succeed(lease, result={}, progress={})

    def cancel(self) -> None:
        with tenant_scope(self.random.choice(self.tenants)):
            job = Job.objects.filter(state__in=Job.ACTIVE).order_by("?").first()
            if job is not None:
                jobs.cancel(job_id=job.id)

    def reap(self) -> None:
        with tenant_scope(self.random.choice(self.tenants)):
            Job.objects.filter(Q(state=State.DISPATCHED) | Q(state=State.RUNNING)).filter(
                id__gt=uuid.UUID(int=self.random.getrandbits(128))
            ).update(expires_at="2000-01-01T00:00Z")
        reap(most=3)


def test_counters_are_exact_after_random_doings_of_six_threads(cast: Cast) -> None:
    Pool.objects.create(name="cpu")
    tenants = [cast.alice.tenant.id, cast.charlie.tenant.id]
    seed = random.randrange(1 << 32)
    results = together([partial(Life(seed + thread, tenants).run, 40) for thread in range(6)])

    assert results == [40] * 6, f"seed {seed}: {results}"
    for tenant in tenants:
        with tenant_scope(tenant):
            assert counters() == counted(), f"seed {seed}"
            states = set(Job.objects.values_list("state", flat=True))
        assert len(states) >= 3, f"seed {seed} did too little: {states}"
