"""A local stack of a benchmark's own, as `make up` starts it, over a folder that is thrown away."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 240
STOP_SECONDS = 30


@dataclass(frozen=True)
class Stack:
    """A running stack: its addresses, and the supervisor's process id."""

    env: dict[str, str]
    pid: int

    @property
    def url(self) -> str:
        return self.env["PUBLIC_URL"]


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Starts `deploy.local up`, waits until each part answers, and stops it at the end."""
    with tempfile.TemporaryDirectory(prefix="myriad-bench-") as name:
        folder = Path(name)
        ready = folder / "ready"
        # What the caller's environment says of other servers must not lead the benchmark there.
        env = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "REDIS_", "S3_"))}
        env |= {"MYRIAD_LOCAL_DIR": str(folder / "local")}
        # The service is measured, and not how it holds its customers back.
        env |= {f"RATE_LIMIT_{name}": "100000/1000000" for name in ("KEY", "TENANT", "ADDRESS", "FAILURES")}
        command = [sys.executable, "-m", "deploy.local", "up", "--ready-file", str(ready)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(process, ready)
            yield Stack(env=_read(folder / "local" / "env"), pid=process.pid)
        except Exception as error:
            error.add_note(f"The stack said last:\n{_tail(folder / 'log')}")
            raise
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _wait(process: "subprocess.Popen[bytes]", ready: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the stack did not start")
        time.sleep(0.1)


def _read(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
