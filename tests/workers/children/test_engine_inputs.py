"""What a run is given beside arrays: files of its own, long parameters, folders of ours that it may read."""

from __future__ import annotations

import dataclasses
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workers.children.test_engine import BUSY, ending, pid_of
from workers.children.engine import Engine
from workers.children.engine_events import EngineDied, EngineRequest, Failed, Finished
from workers.children.engine_run import EngineRun
from workers.children.engine_session import EngineSettings

SETTINGS = EngineSettings(resident=400 << 20, scratch=8 << 20)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "scratch", SETTINGS, program=BUSY)
    yield engine
    engine.close()


def request(wrong: str, files: dict[str, Path] | None = None, *, tenant: str = "acme", **more: Any) -> EngineRequest:
    return EngineRequest(wrong, "1", tenant, {"wrong": wrong} | more, files=files or {})


def start(engine: Engine, wrong: str, files: dict[str, Path] | None = None, **more: Any) -> EngineRun:
    (run,) = engine.start("misbehave", [request(wrong, files, **more)])
    return run


def finished(run: EngineRun) -> Any:
    result = ending(run)
    assert isinstance(result, Finished), result
    return result.value


def files_in(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    for name in ("a.npy", "checkpoint-heads"):
        (folder / name).write_text(f"content of {name}")
    return {path.name: path for path in folder.iterdir()}


def test_files_lie_in_the_runs_folder_and_go_with_it(engine: Engine, tmp_path: Path) -> None:
    files = files_in(tmp_path / "job")
    run = start(engine, "inputs", files)
    assert finished(run)["files"] == {name: f"content of {name}" for name in files}
    assert not run.scratch.exists()
    assert all(path.read_text() == f"content of {name}" for name, path in files.items()), "ours stay"


def test_files_of_another_file_system_are_copied(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert finished(start(engine, "inputs", files_in(tmp_path / "job")))["files"]["a.npy"] == "content of a.npy"


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".hidden", "a" * 129])
def test_unfit_names_are_refused(engine: Engine, tmp_path: Path, name: str) -> None:
    (file,) = [path for key, path in files_in(tmp_path / "job").items() if key == "a.npy"]
    with pytest.raises(ValueError, match="unfit names"):
        start(engine, "inputs", {name: file})


def test_a_missing_file_is_an_error_of_ours_and_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start(engine, "inputs", {"a": tmp_path / "missing"})
    assert not any((tmp_path / "scratch" / "acme").iterdir())
    assert finished(start(engine, "scratch"))


def test_what_was_given_does_not_count_as_written(engine: Engine, tmp_path: Path) -> None:
    """Twelve megabytes of pixels, eight of scratch."""
    large = tmp_path / "large"
    large.write_bytes(b"x" * (12 << 20))
    assert finished(start(engine, "inputs", {"a": large}))["files"]["a"][:1] == "x"
    full = ending(start(engine, "fill", {"a": large}))
    assert isinstance(full, Failed)
    assert full.code == "scratch_full"


def test_parameters_may_be_longer_than_a_header(engine: Engine) -> None:
    """Boxes of some thousand images."""
    assert finished(start(engine, "inputs", listed=[[0, 0.5, 0.5, 10.25, 10.25]] * 60_000))["listed"] == 60_000


def test_one_more_folder_may_be_read(tmp_path: Path) -> None:
    open_, closed = tmp_path / "backbones", tmp_path / "secrets"
    for folder in (open_, closed):
        folder.mkdir()
        (folder / "file").write_text("x")
    paths = [str(open_ / "file"), str(closed / "file")]
    settings = dataclasses.replace(SETTINGS, readable=(open_, tmp_path / "missing"))
    engine = Engine(tmp_path / "scratch", settings, program=BUSY)
    try:
        assert finished(start(engine, "outside", paths=paths))["told"] == {paths[0]: "x", paths[1]: "PermissionError"}
    finally:
        engine.close()


def test_each_run_has_its_share_of_memory(engine: Engine) -> None:
    """Two runs of 250 MB live where one may have 400; one that takes more than that does not."""
    runs = [start(engine, "hold", tenant=tenant, seconds=2) for tenant in ("acme", "bolt")]
    endings: list[Any] = []
    readers = [threading.Thread(target=lambda run=run: endings.append(finished(run))) for run in runs]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert endings == [{"kept": 250 << 20}] * 2
    assert pid_of(engine)
    with pytest.raises(EngineDied, match="memory"):
        ending(start(engine, "hoard"))
