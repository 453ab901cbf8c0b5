"""The supervisor: order, readiness, names of failed parts, an end that leaves nothing behind.

Real engines where they matter, stand-ins for Myriad's own processes (see `local_stand_in`).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.local.services import ROOT

STOP_SECONDS = 15
END_SECONDS = 120  # how long we wait before we call it hung; no promise
# An engine that is not of interest is replaced by an address that nobody asks.
ENGINES = {
    "postgres": {"DATABASE_URL": "postgresql://myriad_app@127.0.0.1:1/myriad"},
    "valkey": {"REDIS_URL": "redis://127.0.0.1:1/0"},
    "s3": {"S3_ENDPOINT_URL": "http://127.0.0.1:1"},
}


@dataclass
class Stack:
    """A `python -m deploy.local up` on a folder of its own, with the engines named."""

    folder: Path
    engines: tuple[str, ...] = ("valkey",)
    process: subprocess.Popen[str] = field(init=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def stand_in(self, part: str, script: str) -> None:
        (self.folder / f"{part}.py").write_text(script, encoding="utf-8")

    def start(self, *arguments: str) -> None:
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        for name, replacement in ENGINES.items():
            if name not in self.engines:
                env |= replacement
        env |= {"MYRIAD_LOCAL_DIR": str(self.data), "STAND_IN": str(self.folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.deploy.local_stand_in", *arguments],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, words: str) -> str:
        """Reads its output up to the line with `words`, and returns that line."""
        assert self.process.stdout
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if words in line:
                return line
        pytest.fail(f"ended without {words!r}:\n{''.join(seen)}")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> str:
        """Waits for its end and returns the rest of its output."""
        return self.process.communicate(timeout=END_SECONDS)[0]


@pytest.fixture
def stack() -> Iterator[Stack]:
    # Not pytest's own folder: the next pytest closes that to PostgreSQL's account.
    made = Stack(Path(tempfile.mkdtemp(prefix="myriad-up-")))
    made.folder.chmod(0o711)
    yield made
    if hasattr(made, "process") and made.process.poll() is None:
        made.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            made.process.wait(STOP_SECONDS)
        made.process.kill()
        made.process.communicate()
    shutil.rmtree(made.folder)


def gone(processes: list[psutil.Process], seconds: float = 10) -> bool:
    """Whether none of them runs any more, within `seconds`. A zombie is dead: init has to reap it, not we."""
    deadline = time.monotonic() + seconds
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_whole_stack_comes_up_and_stops_without_a_trace(stack: Stack, number: signal.Signals) -> None:
    stack.engines = ("postgres", "valkey", "s3")
    stack.start("--ready-file", str(stack.folder / "ready"))
    assert "http://127.0.0.1:" in stack.until("ready after")
    ready = json.loads((stack.folder / "ready").read_text())
    assert ready["pid"] == stack.process.pid
    lines = (stack.data / "env").read_text().splitlines()
    assert f"PUBLIC_URL={ready['url']}" in lines
    assert {line.partition("=")[0] for line in lines} >= {
        "DATABASE_URL",
        "REDIS_URL",
        "S3_ENDPOINT_URL",
        "SECRET_KEY",
    }
    assert (stack.data / "env").stat().st_mode & 0o777 == 0o600
    children = stack.children()
    assert len(children) >= 6

    begun = time.monotonic()
    stack.process.send_signal(number)
    output = stack.end()
    assert time.monotonic() - begun < STOP_SECONDS
    assert stack.process.returncode == 0, output
    assert output.count("drained") == 3
    order = [output.index(f"{name:<10}| drained") for name in ("worker", "dispatcher", "predict")]
    assert order == sorted(order)
    assert gone(children, 0)
    assert not (stack.folder / "ready").exists()


def test_each_parts_output_has_its_name_and_its_file(stack: Stack) -> None:
    stack.start()
    assert stack.until("prepared").startswith("prepare   | ")
    stack.until("ready after")
    stack.process.terminate()
    assert stack.until("drained").startswith("worker    | ")
    assert stack.until("drained").startswith("dispatcher| ")
    assert (stack.data / "log" / "worker.log").read_text() == "at work\ndrained\n"


def test_nothing_outlives_a_killed_supervisor(stack: Stack) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux sends a signal at a parent's death; elsewhere the next start ends what is left")
    stack.engines = ("postgres", "valkey", "s3")
    stack.start()
    stack.until("ready after")
    children = stack.children()
    stack.process.kill()
    assert gone(children)
    stack.process.communicate()
    stack.start()
    stack.until("ready after")


def test_a_part_that_does_not_start_is_named_with_its_last_lines(stack: Stack) -> None:
    stack.stand_in("dispatcher", "print('no such table: job'); raise SystemExit(3)")
    stack.start()
    stack.until("starting on")
    children = stack.children()
    output = stack.end()
    assert stack.process.returncode == 1
    assert "failed: dispatcher ended with exit code 3; its last lines:" in output
    assert "  dispatcher | no such table: job" in output
    assert gone(children, 0)


def test_a_failed_preparation_is_named(stack: Stack) -> None:
    stack.stand_in("prepare", "raise SystemExit('relation exists')")
    stack.start()
    output = stack.end()
    assert stack.process.returncode == 1
    assert "failed: prepare ended with exit code 1; its last lines:" in output
    assert "relation exists" in output


def test_a_part_of_ours_that_dies_is_named_and_started_again(stack: Stack) -> None:
    life = "import pathlib, time\nprint('one more life', flush=True)\n"
    life += f"once = pathlib.Path({str(stack.folder / 'once')!r})\n"
    life += "while once.exists(): time.sleep(0.05)\n"
    life += "once.touch()\nraise SystemExit('out of memory')\n"
    (stack.folder / "once").touch()
    stack.stand_in("worker", life)
    stack.start()
    stack.until("ready after")
    (stack.folder / "once").unlink()
    stack.until("worker ended with exit code 1; its last lines:")
    stack.until("worker | out of memory")
    stack.until("worker starts again in 1 s")
    stack.until("one more life")
    assert stack.process.poll() is None


def test_an_engine_that_dies_stops_the_stack(stack: Stack) -> None:
    stack.start()
    stack.until("ready after")
    children = stack.children()
    next(child for child in children if child.name() == "valkey-server").kill()
    output = stack.end()
    assert stack.process.returncode == 1
    assert "failed: valkey ended with exit code -9" in output
    assert gone(children, 0)


def test_a_second_stack_on_the_same_data_is_refused(stack: Stack) -> None:
    stack.start()
    stack.until("ready after")
    second = Stack(stack.folder)
    second.start()
    output = second.end()
    assert second.process.returncode == 2
    assert f"already runs on {stack.data}: process {stack.process.pid}" in output
    assert stack.process.poll() is None


def test_a_stubborn_part_is_killed_in_time(stack: Stack) -> None:
    stubborn = "import signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    stubborn += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\ntime.sleep(60)\n"
    stack.stand_in("worker", stubborn)
    stack.start()
    stack.until("ready after")
    children = stack.children()
    stack.process.terminate()
    stack.end()
    assert stack.process.returncode == 0
    assert gone(children, 1)


def test_a_second_signal_ends_at_once(stack: Stack) -> None:
    stack.stand_in("worker", "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)")
    stack.start()
    stack.until("ready after")
    stack.process.terminate()
    stack.until("stopping")
    begun = time.monotonic()
    stack.process.terminate()
    stack.end()
    assert time.monotonic() - begun < 5  # the worker alone would have been given 6


def test_a_wanted_port_that_is_taken_is_named(stack: Stack) -> None:
    stack.start()
    port = stack.until("ready after").rstrip().rpartition(":")[2]
    second = Stack(Path(tempfile.mkdtemp(prefix="myriad-up-")))
    second.start("--port", port)
    output = second.end()
    shutil.rmtree(second.folder)
    assert second.process.returncode == 1
    assert f"failed: web cannot listen on 127.0.0.1:{port}: the port is taken" in output


def test_rights_that_only_preparing_needs_are_kept_from_the_services(stack: Stack) -> None:
    report = "import os; names = sorted(n for n in os.environ if n.startswith(('DATABASE', 'S3', 'AWS')))\n"
    report += "print('has', *names, flush=True)\n"
    stack.stand_in("prepare", report)
    stack.stand_in("worker", f"{report}import time; time.sleep(60)")
    stack.engines = ("postgres", "s3")
    stack.start()
    everything = stack.until("has").split()[3:]
    service = stack.until("has").split()[3:]
    assert {"DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "S3_ADMIN_ACCESS_KEY_ID"} <= set(everything)
    assert service == [
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_DIRECT_URL",
        "DATABASE_URL",
        "S3_BUCKET",
        "S3_ENDPOINT_URL",
        "S3_PUBLIC_URL",
        "S3_ROLE_ARN",
    ]
