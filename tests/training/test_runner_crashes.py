"""A run that is broken off at any line: it ends published once and whole, with the weights of an uninterrupted one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.crashing import Killed, Line, break_once
from tests.projects.working import expire, hasten
from tests.training.computing import EVERY, STEPS, straight
from tests.training.making import Works, post
from training import runner
from training.domain import inputs
from training.domain.checkpoints import RunCheckpoints
from training.models import Run
from workers.domain import execution

LINES = [
    Line(runner, "load_manifest"),
    Line(inputs, "fetch_pixels", after=True),
    Line(RunCheckpoints, "keep", after=True),
    Line(runner, "_compute", after=True),
    Line(runner, "_store"),
    Line(runner, "_store", after=True),
    Line(runner, "finish_run", after=True),  # inside the transaction
    Line(RunCheckpoints, "clear"),
    Line(TenantStorage, "delete_folder"),
    Line(RunCheckpoints, "clear", after=True),
]
# From here on the model is there, and must stay the only one.
PUBLISHED = {"clear", "delete_folder"}


@pytest.fixture
def breaks_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`breaks_once(line, error)`: the first call of that line raises, before it did its work or after."""

    return partial(break_once, monkeypatch)


@pytest.mark.parametrize("line", LINES, ids=str)
def test_attempt_that_is_broken_off_here_is_repeated(
    works: Works, snapshot: str, breaks_once: Callable[..., None], line: Line
) -> None:
    run = works.start()
    breaks_once(line, ZeroDivisionError("ours"))

    assert works.hand.work() == ["PENDING"]
    assert works.published() == ((1, 1) if line.name in PUBLISHED else (0, 0))
    hasten(works.person)
    assert works.hand.work() == ["SUCCEEDED"]

    assert works.published() == (1, 1)
    assert works.weights(run) == straight(works.computer.begun[0])
    row = works.run(run)
    assert (row.job.attempts, row.job.result) == (2, {"run": run, "model": str(works.model(run).id)})
    assert (row.checkpoints, works.objects("checkpoints")) == ({}, [])


def test_storage_that_is_away_after_the_publication_undoes_nothing(
    works: Works, snapshot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise StorageUnavailable("S3 is away")

    run = works.start()
    with monkeypatch.context() as patched:
        patched.setattr(TenantStorage, "delete_folder", away)
        assert works.hand.work() == ["SUCCEEDED"]

    assert works.published() == (1, 1)
    assert works.run(run).job.attempts == 1


def test_run_whose_model_is_published_has_succeeded_however_its_job_ended(
    works: Works, snapshot: str, breaks_once: Callable[..., None]
) -> None:
    """Canceled between the publication and the attempt that would have told it."""
    run = works.start()
    breaks_once(Line(RunCheckpoints, "clear"), ZeroDivisionError("ours"))
    assert works.hand.work() == ["PENDING"]
    assert post(works.person, f"runs/{run}/cancel", {}).status_code == 200
    assert works.run(run).job.state == "CANCELED"

    shown = works.person.api.get(f"/api/v1/runs/{run}").json()
    assert (shown["state"], shown["error"], shown["model"]) == ("SUCCEEDED", None, str(works.model(run).id))


@pytest.mark.parametrize("line", [Line(runner, "_store", after=True), Line(RunCheckpoints, "clear")], ids=str)
def test_killed_worker_s_run_is_taken_over_when_its_lease_ends(
    works: Works, snapshot: str, breaks_once: Callable[..., None], line: Line
) -> None:
    """Between the upload of the artifacts and the publication, and after it."""
    run = works.start()
    breaks_once(line, Killed())

    with pytest.raises(Killed):
        works.hand.work()
    assert works.published() == ((0, 0) if line.name == "_store" else (1, 1))
    assert works.run(run).job.state == "RUNNING"
    expire(works.person, works.run(run).job_id)
    assert works.hand.work() == ["SUCCEEDED"]

    assert works.published() == (1, 1)
    assert works.objects("checkpoints") == []


@pytest.mark.parametrize("step", [EVERY - 1, EVERY, STEPS - 1, STEPS + EVERY + 1])
def test_resumed_run_gives_the_model_of_an_uninterrupted_one(works: Works, snapshot: str, step: int) -> None:
    run = works.start()
    left = [step]

    def die(at: int) -> None:
        if left and at == left[0]:
            left.clear()
            raise ZeroDivisionError("ours")

    works.computer.before_step = die
    assert works.hand.work() == ["PENDING"]
    kept = works.run(run).checkpoints
    hasten(works.person)
    assert works.hand.work() == ["SUCCEEDED"]

    assert works.weights(run) == straight(works.computer.begun[0])
    final, fold = min(step, STEPS) // EVERY * EVERY, max(step - STEPS, 0) // EVERY * EVERY
    expected = {name: reached for name, reached in (("final", final), ("fold-1", fold)) if reached}
    assert works.computer.resumed[-1] == {name: part["step"] for name, part in kept.items()} == expected
    curve = works.run(run).curve
    assert [point[0] for point in curve] == list(range(1, 2 * STEPS + 1))
    assert [point[1]["boxes"] for point in curve] == [1 / step for step in range(1, STEPS + 1)] * 2


def test_part_that_is_damaged_or_gone_is_computed_again(works: Works, snapshot: str) -> None:
    run = works.start()

    def die(at: int) -> None:
        if at == STEPS + EVERY + 1 and len(works.computer.asked) == 1:
            raise ZeroDivisionError("ours")

    works.computer.before_step = die
    assert works.hand.work() == ["PENDING"]
    parts = works.run(run).checkpoints
    works.storage.put(parts["final"]["key"], b'{"step": 1, "state": "wrong"}', content_type="application/octet-stream")
    works.storage.delete([parts["fold-1"]["key"]])
    hasten(works.person)
    assert works.hand.work() == ["SUCCEEDED"]

    assert works.computer.resumed[-1] == {}
    assert works.weights(run) == straight(works.computer.begun[0])


def test_checkpoint_that_cannot_be_stored_costs_nothing_but_itself(
    works: Works, snapshot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("S3 is away")

    run = works.start()
    monkeypatch.setattr(TenantStorage, "put", away)
    assert works.hand.work() == ["SUCCEEDED"]
    assert (works.run(run).job.attempts, works.published()) == (1, (1, 1))


def test_replaced_parts_are_deleted_while_the_run_goes_on(works: Works, snapshot: str) -> None:
    run = works.start()
    seen: list[list[str]] = []
    works.computer.before_step = lambda step: (
        seen.append(works.objects("checkpoints")) if step == STEPS + EVERY else None
    )
    assert works.hand.work() == ["SUCCEEDED"]
    assert seen == [[f"{run}/1-final-{STEPS}", f"{run}/1-fold-1-{EVERY}"]]


def test_attempt_that_lost_its_lease_publishes_nothing(works: Works, snapshot: str) -> None:
    """The worker was thought dead; another has done the run by the time that it wants to publish."""
    run = works.start()
    taken: list[str | None] = []

    def overtake(step: int) -> None:
        if step == 2 * STEPS - 1 and not taken:
            taken.append("...")
            expire(works.person, works.run(run).job_id)
            taken[:] = works.hand.work()

    works.computer.before_step = overtake
    assert works.hand.work() == [None]

    assert taken == ["SUCCEEDED"]
    assert works.published() == (1, 1)
    assert works.run(run).job.token == 2
    assert works.objects("checkpoints") == []


def test_attempt_that_lost_its_lease_leaves_the_newer_one_s_checkpoints(works: Works, snapshot: str) -> None:
    run = works.start()

    def lose(step: int) -> None:
        if step == EVERY + 1:
            expire(works.person, works.run(run).job_id)
            works.hand.dispatched()  # the reaper's turn; nobody takes it up
            with tenant_scope(works.person.tenant.id):
                Run.objects.filter(id=run).update(checkpoints={"final": "the newer one's"})

    works.computer.before_step = lose
    (job,) = works.hand.dispatched()
    assert execution.execute_job(job_id=job, worker="hand") is None
    assert works.run(run).checkpoints == {"final": "the newer one's"}
    assert works.published() == (0, 0)
