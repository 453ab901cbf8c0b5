"""A computation that a handler asks for: through the resident engine, and alone where a neighbour may be to blame."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tenants.scope import ScopeOpen, tenant_scope
from tests.workers.children.test_engine import BUSY
from tests.workers.queues import Works
from training.domain.computing import (
    Computation,
    ComputationRefused,
    ComputationStopped,
    Computer,
    Outcome,
    Part,
    Report,
)
from workers.children.decode import DecodeChild
from workers.children.engine import Engine
from workers.children.engine_session import EngineSettings
from workers.domain import computing, execution
from workers.domain.computing import EngineComputer, EngineFailed
from workers.domain.scratch import scratch

SETTINGS = EngineSettings(resident=400 << 20, scratch=8 << 20)


@pytest.fixture
def computer(database: str) -> Iterator[EngineComputer]:
    """With operations made for tests."""
    made = EngineComputer(make=lambda folder: Engine(folder, SETTINGS, program=BUSY), idle_seconds=2)
    yield made
    made.close()
    assert engines() == []


def engines() -> list[psutil.Process]:
    children = []
    for child in psutil.Process().children():
        try:
            if "engine" in " ".join(child.cmdline()):
                children.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return children


def until(is_so: Any) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Asked:
    """One computation, in a thread of its own, and what was heard of it."""

    def __init__(self, computer: Computer, wrong: str, files: dict[str, Path] | None = None, **parameters: Any) -> None:
        self.reports: list[Report] = []
        self.parts: list[Part] = []
        self.stop = threading.Event()
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        operation = "misbehave" if wrong else "train"
        self._asked = Computation(operation, "run-1", 3, uuid.uuid4(), {"wrong": wrong} | parameters, files or {})
        self._computer = computer
        self._thread = threading.Thread(target=self._compute)
        self._thread.start()

    def _compute(self) -> None:
        try:
            self.outcome = self._computer.compute(
                self._asked, on_report=self.reports.append, on_part=self.parts.append, should_stop=self.stop.is_set
            )
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def result(self) -> Outcome:
        self._thread.join(30)
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        return self.outcome


def test_reports_parts_and_files_of_a_result(computer: EngineComputer, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_text("pixels")
    asked = Asked(computer, "inputs", {"a.npy": tmp_path / "a.npy"}, listed=[1, 2])
    assert asked.result() == Outcome({"files": {"a.npy": "pixels"}, "listed": 2}, {})

    asked = Asked(computer, "publish", steps=5)
    outcome = asked.result()
    assert outcome == Outcome({"steps": 5}, {"heads.safetensors": b"\x00\x01weights", "empty": b""})
    assert asked.parts == [Part("heads", 5, b"state")]
    assert asked.reports == [Report(5, 5, "done", {"box": 0.5})]


def test_what_the_customer_can_mend_is_refused(computer: EngineComputer) -> None:
    with pytest.raises(ComputationRefused) as caught:
        Asked(computer, "refuse").result()
    assert (caught.value.code, str(caught.value), caught.value.hint) == (
        "too_few_images", "There are 3 images; 10 are needed.", "Add images.",
    )  # fmt: skip


@pytest.mark.parametrize(("wrong", "told"), [("raise", "ZeroDivisionError: a bug"), ("silence", "engine_silent")])
def test_an_error_of_ours_is_no_refusal(computer: EngineComputer, wrong: str, told: str) -> None:
    with pytest.raises(EngineFailed, match=told):
        Asked(computer, wrong).result()


def test_stop_is_heard_within_two_seconds(computer: EngineComputer) -> None:
    asked = Asked(computer, "resume")
    until(lambda: len(asked.parts) == 3)
    asked.stop.set()
    start = time.monotonic()
    with pytest.raises(ComputationStopped):
        asked.result()
    assert time.monotonic() - start < 2


def test_an_error_in_a_callback_stops_the_computation(computer: EngineComputer) -> None:
    def lose(_: Part) -> None:
        raise RuntimeError("lease lost")

    asked = Computation("misbehave", "run-1", 1, uuid.uuid4(), {"wrong": "resume"})
    with pytest.raises(RuntimeError, match="lease lost"):
        computer.compute(asked, on_report=lambda _: None, on_part=lose, should_stop=lambda: False)


def test_a_run_whose_engine_ends_alone_fails_with_evidence(computer: EngineComputer) -> None:
    """The job's next attempt goes on from the parts it gave out."""
    with pytest.raises(EngineFailed, match="Segmentation fault"):
        Asked(computer, "crash").result()
    assert Asked(computer, "scratch").result().value["files"]


def test_a_run_whose_engine_ends_beside_another_goes_on_alone_from_its_parts(computer: EngineComputer) -> None:
    asked = Asked(computer, "resume")
    neighbour = Asked(computer, "hold", seconds=1)
    until(lambda: len(asked.parts) == 3 and neighbour.reports)
    (engine,) = engines()
    os.kill(engine.pid, signal.SIGKILL)

    assert asked.result().value == {"from": {"heads": "heads 2", "fold-0": "fold"}}
    assert neighbour.result().value == {"kept": 250 << 20}


def test_parts_given_at_the_start_stay_where_none_is_newer(computer: EngineComputer, tmp_path: Path) -> None:
    part = Part("heads", 2, b"newer")
    for name in ("checkpoint-heads", "checkpoint-fold-1"):
        (tmp_path / name).write_text("older")
    kept = computing._Parts(tmp_path / "kept", lambda _: None)
    (tmp_path / "kept").mkdir()
    asked = Computation(
        "train", "r", 1, uuid.uuid4(), {"seed": 1, "checkpoints": ["heads", "fold-1"]},
        {name: tmp_path / name for name in ("checkpoint-heads", "checkpoint-fold-1")},
    )  # fmt: skip
    assert kept.resume(asked) is asked
    kept.add(part)
    resumed = kept.resume(asked)
    assert resumed.parameters == {"seed": 1, "checkpoints": ["fold-1", "heads"]}
    assert {name: path.read_text() for name, path in resumed.files.items()} == {
        "checkpoint-heads": "newer", "checkpoint-fold-1": "older",
    }  # fmt: skip


def test_a_run_that_takes_too_much_memory_is_tried_alone_and_refused(computer: EngineComputer) -> None:
    """In the resident engine, what is left of earlier runs counts as well."""
    with pytest.raises(ComputationRefused) as caught:
        Asked(computer, "hoard").result()
    assert caught.value.code == "engine_memory"
    assert "smaller images" in caught.value.hint


def test_one_engine_serves_all_and_is_ended_when_idle(computer: EngineComputer) -> None:
    first, second = Asked(computer, "hold", seconds=0.8), Asked(computer, "hold", seconds=0.8)
    until(lambda: first.reports and second.reports)
    (engine,) = engines()
    first.result(), second.result()
    assert [child.pid for child in engines()] == [engine.pid]
    Asked(computer, "scratch").result()
    assert [child.pid for child in engines()] == [engine.pid]
    until(lambda: not engines())
    assert Asked(computer, "scratch").result().value["files"]


def test_it_starts_anew_in_another_folder(computer: EngineComputer) -> None:
    """Its sandbox lets it write only where it was started."""
    Asked(computer, "scratch").result()
    scratch.remove()
    assert Asked(computer, "scratch").result().value["files"]
    assert len(engines()) == 1


def test_nothing_is_left_on_disk(computer: EngineComputer) -> None:
    for wrong in ("refuse", "hoard"):
        with pytest.raises(ComputationRefused):
            Asked(computer, wrong).result()
    computer.close()
    assert [path for path in scratch.engine_folder().parent.rglob("*") if path.is_file()] == [
        scratch.engine_folder().with_name("lock")
    ]


def test_closing_fails_what_is_under_way(computer: EngineComputer) -> None:
    asked = Asked(computer, "resume")
    until(lambda: len(asked.parts) == 3)
    computer.close()
    with pytest.raises(EngineFailed, match="closed"):
        asked.result()


def test_no_engine_starts_inside_a_scope(computer: EngineComputer, acme: Works) -> None:
    asked = Computation("misbehave", "run-1", 1, acme.id, {"wrong": "scratch"})
    with tenant_scope(acme.id), pytest.raises(ScopeOpen):
        computer.compute(asked, on_report=lambda _: None, on_part=lambda _: None, should_stop=lambda: False)
    assert engines() == []


def test_the_workers_engine_is_as_its_settings_say(database: str, settings: Any, tmp_path: Path) -> None:
    settings.ENGINE_THREADS, settings.ENGINE_RESIDENT_BYTES, settings.ENGINE_SCRATCH_BYTES = 3, 4 << 30, 5 << 30
    settings.BACKBONE_DIR = tmp_path / "backbones"
    made = computing.make_engine(tmp_path)._settings
    assert (made.threads, made.resident, made.scratch, made.readable) == (3, 4 << 30, 5 << 30, (settings.BACKBONE_DIR,))
    computer: Computer = computing.computer
    assert execution.Children(decoder=DecodeChild()).engine is computer
