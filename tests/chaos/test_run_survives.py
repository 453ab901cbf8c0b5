"""A model is being trained when a part dies. The run ends as an undisturbed one does, and publishes once."""

from collections.abc import Iterator

import psutil
import pytest

from tests.chaos.ground import Ground, TenantKey, until
from tests.chaos.trainer import Trainer


@pytest.fixture
def trainer(installation: Ground, _started: tuple[Ground, Iterator[TenantKey]]) -> Iterator[Trainer]:
    """A new tenant's, with a snapshot; with what the parts said, should its test fail."""
    _, tenants = _started
    installation.manage("backbone")
    with Trainer(installation, next(tenants)) as made:
        made.make_snapshot()
        yield made
    print(installation.logs())  # noqa: T201 - pytest shows it when the test failed


def _engine(installation: Ground) -> psutil.Process:
    (engine,) = [child for child in installation.worker_children() if "engine_program" in " ".join(child.cmdline())]
    return engine


def _kill_engine(installation: Ground) -> None:
    _engine(installation).kill()


def _kill_worker(installation: Ground) -> None:
    engine = _engine(installation)
    installation.kill("worker")
    until(lambda: not engine.is_running())
    installation.restart("worker")


@pytest.mark.timeout(400)
def test_a_run_survives_its_engine_and_its_worker(trainer: Trainer, installation: Ground) -> None:
    """Each is killed in the middle of a run of its own; a third run says what should have come out."""
    disturbed = []
    for kill in (_kill_engine, _kill_worker):
        run = trainer.start_run()
        trainer.await_checkpoint(run)
        kill(installation)
        disturbed.append(trainer.await_model(run))
        assert trainer.attempts(run) == 2, "it went on after the kill"
        assert trainer.stored("checkpoints/") == set()

    quiet = trainer.start_run()
    assert [trainer.await_model(quiet)] * 2 == disturbed
    assert trainer.attempts(quiet) == 1
    assert set(trainer.await_model(quiet)) <= {key.removeprefix("artifacts/") for key in trainer.stored("artifacts/")}


@pytest.mark.timeout(400)
def test_a_canceled_run_stops_at_once_and_leaves_nothing(trainer: Trainer, installation: Ground) -> None:
    """Two seconds at most on a machine of its own; the tests' has other work."""
    run = trainer.start_run()
    trainer.await_checkpoint(run)
    took = trainer.cancel(run)
    print(f"canceled after {took:.1f} s")  # noqa: T201 - the figure is wanted
    assert took < 5
    until(lambda: trainer.stored("checkpoints/") == set())
    assert trainer.stored("artifacts/") == set()
    assert len(list(installation.scratch.glob("*/job-*"))) == 0
    _engine(installation)
