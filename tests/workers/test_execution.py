"""One attempt at a job: how each way that a handler can end is written down."""

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tenants.jobs import JobContext, JobFailed
from tenants.models import Job
from tenants.scope import scope_or_none
from tests.cast import Cast
from tests.workers.conftest import Register
from tests.workers.queues import Works, claim, expire, lease_of
from workers.domain import dispatching, execution


def _execute(works: Works, **spec: Any) -> tuple[str | None, Job]:
    """Enqueues a job, claims it and does it; (the state it was left in, its row)."""
    job_id = works.enqueue(**spec)
    assert claim() == job_id
    return execution.execute_job(job_id=job_id, worker="host:1"), works.job(job_id)


def test_success(acme: Works, register: Register) -> None:
    seen: dict[str, Any] = {}

    def handler(context: JobContext) -> dict[str, Any]:
        seen.update(vars(context), atomic=connection.in_atomic_block, scope=scope_or_none())
        context.check()
        context.progress(3, 4, "nearly")
        return {"made": 3}

    register(handler)
    state, job = _execute(acme, colour="red")

    assert (state, job.state, job.attempts) == ("SUCCEEDED", Job.State.SUCCEEDED, 1)
    assert (job.result, job.error) == ({"made": 3}, None)
    assert job.progress == {"done": 3, "total": 4, "message": "nearly"}
    assert job.started_at is not None
    assert job.finished_at is not None
    assert (seen["tenant_id"], seen["job_id"], seen["token"]) == (acme.id, job.id, 1)
    assert seen["spec"] == {"colour": "red"}
    assert (seen["atomic"], seen["scope"]) == (False, None), "a handler starts without a scope"
    assert acme.counters() == (0, 0)


def test_an_expected_failure_is_final_and_says_what_to_do(acme: Works, register: Register) -> None:
    def handler(_context: JobContext) -> dict[str, Any]:
        raise JobFailed("too_few_images", "There are 3 images.", hint="Upload at least 10.")

    register(handler)
    state, job = _execute(acme)

    assert (state, job.state, job.attempts) == ("FAILED", Job.State.FAILED, 1)
    assert job.error == {"code": "too_few_images", "message": "There are 3 images.", "hint": "Upload at least 10."}
    assert job.traceback == ""
    assert acme.counters() == (0, 0)


def test_a_failure_of_ours_is_repeated_then_given_up_without_showing_its_insides(
    cast: Cast, register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_context: JobContext) -> dict[str, Any]:
        raise ZeroDivisionError("secret of the house")

    register(handler, max_attempts=3)
    acme = Works(cast.alice.tenant.id)
    job_id = acme.enqueue()
    states = []
    for _ in range(3):
        acme.change(job_id, due_at=timezone.now() - timedelta(seconds=1))
        assert claim() == job_id
        states.append(execution.execute_job(job_id=job_id, worker="w"))

    job = acme.job(job_id)
    assert states == ["PENDING", "PENDING", "FAILED"]
    assert (job.attempts, job.error) == (3, execution.FAILED_OURSELVES)
    assert "ZeroDivisionError: secret of the house" in job.traceback
    assert str(acme.id) in caplog.text, "the log names the tenant"
    for path in (f"/api/v1/jobs/{job_id}", "/api/v1/jobs"):
        shown = json.dumps(cast.alice.api.get(path).json())
        assert "secret" not in shown
        assert "traceback" not in shown.lower()
        assert execution.FAILED_OURSELVES["hint"] in shown
    assert acme.counters() == (0, 0)


def test_a_kind_that_this_version_does_not_know_is_tried_again(acme: Works, register: Register) -> None:
    register(lambda _context: {}, name="of_another_version")
    job_id = acme.enqueue(kind="of_another_version")
    from tenants import jobs

    jobs._kinds.pop("of_another_version")
    assert claim() == job_id

    assert execution.execute_job(job_id=job_id, worker="w") == "PENDING"
    assert "KeyError" in acme.job(job_id).traceback


def test_draining_gives_the_job_back_uncounted(acme: Works, register: Register) -> None:
    def handler(context: JobContext) -> dict[str, Any]:
        execution.draining.set()
        assert context.should_stop()
        context.check()
        pytest.fail("it should have stopped")

    register(handler)
    state, job = _execute(acme)

    assert (state, job.state, job.attempts) == ("PENDING", Job.State.PENDING, 0)
    assert acme.counters() == (1, 0)
    assert claim() == job.id, "at once"


def test_a_draining_worker_begins_nothing(acme: Works, register: Register) -> None:
    execution.draining.set()
    register(lambda _context: pytest.fail("began"))

    state, job = _execute(acme)

    assert (state, job.attempts) == ("PENDING", 0)


def test_a_late_wake_up_does_nothing(acme: Works, register: Register) -> None:
    lease = lease_of(acme)
    register(lambda _context: pytest.fail("began"))

    assert execution.execute_job(job_id=lease.job_id, worker="w") is None
    assert execution.execute_job(job_id=uuid.uuid4(), worker="w") is None
    assert acme.job(lease.job_id).state == Job.State.RUNNING


def test_what_a_thought_dead_worker_computed_is_not_published(acme: Works, register: Register) -> None:
    def handler(context: JobContext) -> dict[str, Any]:
        expire(acme, context.job_id)
        assert dispatching.reap() == 1
        with context.publishing():
            pytest.fail("published")

    register(handler)
    state, job = _execute(acme)

    assert (state, job.state, job.result) == (None, Job.State.PENDING, None)
    assert acme.counters() == (1, 0)


@pytest.mark.parametrize("failure", [None, JobFailed("x", "x", hint="x"), RuntimeError("x")])
def test_the_scratch_folder_is_named_by_tenant_and_dies_with_the_job(
    acme: Works, register: Register, tmp_path: Path, failure: Exception | None
) -> None:
    folders: list[Path] = []

    def handler(context: JobContext) -> dict[str, Any]:
        folders.append(context.scratch)
        assert context.scratch.stat().st_mode & 0o077 == 0
        (context.scratch / "deep").mkdir()
        (context.scratch / "deep" / "file").write_bytes(b"x")
        if failure:
            raise failure
        return {}

    register(handler)
    _execute(acme)

    assert str(acme.id) in folders[0].name
    assert tmp_path in folders[0].parents
    assert not folders[0].exists()


def test_a_result_that_is_no_json_fails_like_any_mistake_of_ours(acme: Works, register: Register) -> None:
    register(lambda _context: {"bad": object()})

    state, job = _execute(acme)

    assert state == "PENDING"
    assert "not JSON serializable" in job.traceback
    assert acme.counters() == (1, 0)
