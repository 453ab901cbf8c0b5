"""Bundles, and the real command."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.edge.bundles import make_anomaly, make_classifier, make_detector

COMMAND = Path(sys.executable).with_name("myriad-edge")


@dataclass(frozen=True)
class Ended:
    """A run of the command: its exit code, and what it said where."""

    code: int
    out: str
    err: str


def edge(*arguments: str | Path) -> Ended:
    """Run the command to its end."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=100)
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(bundle: Path, *words: str) -> None:
    """The command ends with 2, and says so on standard error."""
    ended = edge("check", bundle)
    assert (ended.code, ended.out) == (2, "")
    for word in words:
        assert word in ended.err
    assert len(ended.err.splitlines()) == 2, "what is wrong, and what to do"


def lines(out: Path) -> list[dict[str, Any]]:
    """The finished lines of results."""
    path = out / "results.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def eventually(holds: Callable[[], Any]) -> None:
    """Wait until it holds; the tests' own time-out is what ends a wait in vain."""
    while not holds():
        time.sleep(0.02)


class Running:
    """The command while it watches."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen([COMMAND, "run", *arguments], stderr=subprocess.PIPE, text=True)

    def end(self, number: int = signal.SIGTERM) -> Ended:
        self.process.send_signal(number)
        _, err = self.process.communicate()
        return Ended(self.process.returncode, "", err)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts the command; what a test leaves behind is killed."""
    started: list[Running] = []

    def begin(*arguments: str | Path) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.communicate()


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    make_detector(folder, tmp_path_factory.mktemp("training"))
    return folder


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    make_classifier(folder)
    return folder


@pytest.fixture(scope="session")
def anomaly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anomaly")
    make_anomaly(folder)
    return folder


@pytest.fixture
def bundle(classifier: Path, tmp_path: Path) -> Path:
    """A bundle of one's own, to be spoilt: the smallest one."""
    return Path(shutil.copytree(classifier, tmp_path / "bundle"))


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """The folder that images come into."""
    folder = tmp_path / "camera"
    folder.mkdir()
    return folder
