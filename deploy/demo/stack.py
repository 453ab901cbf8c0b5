"""The local stack under the demo: started from nothing, ended with it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# The first start migrates a database and converts the backbone.
START_SECONDS, STOP_SECONDS = 180, 60


class DemoFailed(Exception):
    """The demo cannot go on; the message says at which step and why."""


@contextmanager
def stack(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs `deploy.local up` over an emptied `folder` for the length of a `with`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ready, log = folder / "ready.json", folder / "stack.log"
    command = [sys.executable, "-m", "deploy.local", "up", "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(folder), stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, ready, log)
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def addresses(folder: Path) -> dict[str, str]:
    """What the stack wrote of itself: PUBLIC_URL and the rest."""
    lines = (folder / "env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def create_tenant(folder: Path, *, name: str, owner: str) -> dict[str, Any]:
    """Runs `manage.py tenant create`, as an operator would; returns its answer, the invitation's token included."""
    command = [sys.executable, "manage.py", "tenant", "create", name, "--owner", owner, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=_environment(folder), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"manage.py tenant create {name!r}: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _environment(folder: Path) -> Mapping[str, str]:
    return os.environ | {"MYRIAD_LOCAL_DIR": str(folder)}


def _wait(process: "subprocess.Popen[bytes]", ready: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise DemoFailed(f"the local stack did not start:\n{tail}")
        time.sleep(0.1)
