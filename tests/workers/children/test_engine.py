"""The engine child: runs of several tenants in one process, each with its own events, ending and scratch."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from workers.children.arrays import Array
from workers.children.engine import ENGINE_PROGRAM, Engine
from workers.children.engine_events import (
    Canceled,
    Checkpoint,
    Ending,
    EngineDied,
    EngineRequest,
    Failed,
    Finished,
    Progress,
)
from workers.children.engine_run import EngineRun
from workers.children.engine_session import EngineSettings

BUSY = Path(__file__).with_name("programs") / "busy_engine.py"
X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with operations made for tests, and narrow limits."""
    settings = EngineSettings(resident=400 << 20, scratch=8 << 20)
    engine = Engine(tmp_path / "scratch", settings, program=BUSY)
    yield engine
    engine.close()


def run_of(
    name: str, *, tenant: str = "acme", arrays: dict[str, Any] | None = None, **parameters: Any
) -> EngineRequest:
    return EngineRequest(name, f"token-{name}", tenant, parameters, arrays or {"x": X})


def misbehave(engine: Engine, wrong: str, **more: Any) -> EngineRun:
    (run,) = engine.start("misbehave", [run_of(wrong.replace(" ", "-"), wrong=wrong, **more)])
    return run


def ending(run: EngineRun) -> Ending:
    return run.wait()


def pid_of(engine: Engine) -> int:
    (child,) = [child for child in psutil.Process().children() if "engine" in " ".join(child.cmdline())]
    return child.pid


def test_ping_computes_on_the_device_and_echoes_arrays(tmp_path: Path) -> None:
    """The program as it ships."""
    engine = Engine(tmp_path / "scratch", program=ENGINE_PROGRAM)
    arrays: dict[str, Array] = {
        "image": np.arange(256, dtype=np.uint8).reshape(16, 16),
        "none": np.zeros((0, 4), dtype=np.float64),
        "scalar": np.array(2.5, dtype=np.float16),
        "flags": np.array([True, False]),
        "strided": np.arange(10, dtype=np.int64)[::2],
    }
    try:
        pong = engine.ping(arrays)
        assert pong.value["device"]["kind"] == "cpu"
        assert pong.value["device"]["count"] >= 1
        assert pong.value["total"] == sum(float(array.sum(dtype=np.float64)) for array in arrays.values())
        for name, array in arrays.items():
            assert pong.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(pong.arrays[name], array)
        assert not any((tmp_path / "scratch" / "health").iterdir())
    finally:
        engine.close()


def test_packed_runs_of_two_tenants_hear_their_own_events(engine: Engine) -> None:
    acme, bolt = engine.start(
        "train",
        [run_of("a", steps=10, arrays={"x": X}), run_of("b", tenant="bolt", steps=25, arrays={"x": X + 100})],
    )
    heard: dict[str, list[Any]] = {"a": [], "b": []}
    endings = {}

    def listen(run: EngineRun) -> None:
        name = run.request.run_id
        endings[name] = run.wait(on_progress=heard[name].append, on_checkpoint=heard[name].append)

    listeners = [threading.Thread(target=listen, args=(run,)) for run in (acme, bolt)]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        listener.join()

    for name, steps, source in (("a", 10, X), ("b", 25, X + 100)):
        result = endings[name]
        assert isinstance(result, Finished)
        assert result.value == {"steps": steps, "packed_with": 2}
        assert result.token == f"token-{name}"
        np.testing.assert_array_equal(result.arrays["doubled"], source * 2)
        assert {event.run_id for event in heard[name]} == {name}
        checkpoints = [event for event in heard[name] if isinstance(event, Checkpoint)]
        assert [event.data for event in checkpoints] == [f"state {n}".encode() for n in range(5, steps + 1, 5)]
        assert {event.name for event in checkpoints} == {"steps"}
        last = [event for event in heard[name] if isinstance(event, Progress)][-1]
        assert (last.done, last.total) == (steps, steps)
        assert last.losses == {"box": 1 / steps, "class": 0.5}


def test_cancel_of_one_leaves_the_others(engine: Engine) -> None:
    stays, goes = engine.start("train", [run_of("stays", steps=60), run_of("goes", steps=100_000)])
    start = time.monotonic()
    goes.cancel()
    assert isinstance(ending(goes), Canceled)
    assert time.monotonic() - start < 2
    assert isinstance(ending(stays), Finished)


def test_should_stop_cancels(engine: Engine) -> None:
    (run,) = engine.start("train", [run_of("a", steps=100_000)])
    assert isinstance(run.wait(should_stop=lambda: True), Canceled)


def test_stubborn_run_keeps_its_caller_two_seconds_and_is_ended(engine: Engine) -> None:
    for wrong in ("stubborn", "hold the lock"):
        run = misbehave(engine, wrong)
        time.sleep(0.3)
        start = time.monotonic()
        run.cancel()
        assert isinstance(ending(run), Canceled)
        assert time.monotonic() - start <= 2.1
    assert isinstance(engine.ping({"x": X}), Finished)


def test_stubborn_run_does_not_cost_its_neighbour(engine: Engine) -> None:
    (neighbour,) = engine.start("train", [run_of("neighbour", steps=200)])
    stubborn = misbehave(engine, "stubborn")
    stubborn.cancel()
    assert isinstance(ending(stubborn), Canceled)
    assert isinstance(ending(neighbour), Finished)


def test_dead_engine_is_told_to_all_its_runs_and_replaced(engine: Engine) -> None:
    runs = engine.start("train", [run_of("a", steps=100_000), run_of("b", steps=100_000)])
    for run in runs:
        next(run.events())
    os.kill(pid_of(engine), signal.SIGKILL)
    for run in runs:
        with pytest.raises(EngineDied) as caught:
            ending(run)
        assert (caught.value.reason, caught.value.packed) == ("crashed", True)
        assert not run.scratch.exists()
    (again,) = engine.start("train", [run_of("a", steps=5)])
    assert isinstance(ending(again), Finished)


def test_crash_of_a_lone_run_is_its_own_and_leaves_evidence(engine: Engine) -> None:
    with pytest.raises(EngineDied) as caught:
        ending(misbehave(engine, "crash"))
    assert not caught.value.packed
    assert "Segmentation fault" in caught.value.evidence


@pytest.mark.parametrize(
    ("wrong", "code", "detail"),
    [
        ("raise", "engine_error", "ZeroDivisionError: a bug"),
        ("silence", "engine_silent", ""),
        ("memory", "engine_memory", "MemoryError"),
        ("refuse", "too_few_images", ""),
    ],
)
def test_failures_are_events_and_the_engine_lives_on(engine: Engine, wrong: str, code: str, detail: str) -> None:
    result = ending(misbehave(engine, wrong))
    assert isinstance(result, Failed)
    assert result.code == code
    assert detail in result.detail
    assert "ZeroDivisionError" not in result.message
    assert isinstance(engine.ping({"x": X}), Finished)


def test_unknown_operation_fails_the_run(engine: Engine) -> None:
    (run,) = engine.start("os:system", [run_of("a")])
    result = ending(run)
    assert isinstance(result, Failed)
    assert result.code == "engine_error"


def test_memory_over_the_limit_ends_the_engine(engine: Engine) -> None:
    with pytest.raises(EngineDied) as caught:
        ending(misbehave(engine, "hoard"))
    assert caught.value.reason == "memory"


def test_scratch_over_the_limit_fails_the_one_run(engine: Engine) -> None:
    (neighbour,) = engine.start("train", [run_of("neighbour", steps=150)])
    result = ending(misbehave(engine, "fill"))
    assert isinstance(result, Failed)
    assert result.code == "scratch_full"
    assert isinstance(ending(neighbour), Finished)


def test_scratch_is_the_tenants_and_goes_with_the_run(engine: Engine, tmp_path: Path) -> None:
    run = misbehave(engine, "scratch")
    result = ending(run)
    assert isinstance(result, Finished)
    assert result.value["files"] == ["inputs", "own"]
    assert Path(result.value["at"]).parent == tmp_path / "scratch" / "acme"
    assert not run.scratch.exists()


def test_engine_has_no_network_no_secrets_and_no_files_of_ours(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings = tmp_path / "env"
    settings.write_text("DATABASE_URL=secret")
    result = ending(misbehave(engine, "reach out", settings=str(settings)))
    assert isinstance(result, Finished)
    assert result.value["told"] == dict.fromkeys(["socket", "environment", "passwd", "settings"], "PermissionError")
    assert "AWS_SECRET_ACCESS_KEY" not in result.value["environment"]


def test_closing_tells_the_runs(engine: Engine) -> None:
    (run,) = engine.start("train", [run_of("a", steps=100_000)])
    pid = pid_of(engine)
    engine.close()
    with pytest.raises(EngineDied) as caught:
        ending(run)
    assert caught.value.reason == "closed"
    assert not psutil.pid_exists(pid)


def test_engine_outlives_the_thread_that_first_used_it(engine: Engine) -> None:
    """A child dies with the thread that made it: that one must be the engine's own."""
    pids = []

    def use() -> None:
        engine.ping({"x": X})
        pids.append(pid_of(engine))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    time.sleep(0.2)
    engine.ping({"x": X})
    assert pids == [pid_of(engine)]


def test_exception_in_a_callback_cancels_the_run(engine: Engine) -> None:
    def lose_the_lease(_: Progress) -> None:
        raise RuntimeError("lease lost")

    (run,) = engine.start("train", [run_of("a", steps=100_000)])
    with pytest.raises(RuntimeError, match="lease lost"):
        run.wait(on_progress=lose_the_lease)
    assert isinstance(ending(run), Canceled)


def test_unfit_ids_and_arrays_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="unfit"):
        engine.start("train", [EngineRequest("../a", "", "acme")])
    with pytest.raises(Exception, match="object"):
        engine.start("train", [run_of("a", arrays={"x": np.array([object()])})])
    assert isinstance(engine.ping({"x": X}), Finished)
