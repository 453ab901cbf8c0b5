"""A whole installation over a temporary folder, each part a real process that a test may kill and start again.

Hosted prediction is left out: it holds nothing that a kill could lose.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg2
import redis

from deploy.local.engines import Engines
from deploy.local.ports import HOST
from deploy.local.process import Process
from deploy.local.services import ROOT, readiness, services

# Seconds. Short, so that what a dead process held comes back while the test waits.
LEASE, GRACE = 3, 3
# Seconds that a machine with other work may take for anything a test waits for.
PATIENCE = 60.0


@dataclass(frozen=True)
class TenantKey:
    id: str
    key: str


class Ground:
    """PostgreSQL, broker, S3, web, dispatcher and one worker. Entered by the main thread (see `Process`)."""

    def __init__(self, folder: Path, *, slots: int = 2, worker_app: str = "config.celery") -> None:
        self.engines = Engines(folder, durable=False)
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.port = self.engines.ports.choose("web")
        self.env = (
            self.engines.addresses.env()
            | {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "JOB_LEASE_SECONDS": str(LEASE),
                "JOB_DISPATCH_SECONDS": str(GRACE),
                "WORKER_SLOTS": str(slots),
                "WORKER_SCRATCH": str(self.scratch),
                "BACKBONE_DIR": str(folder / "backbones"),
                "WEB_PROCESSES": "1",
                "PYTHONUNBUFFERED": "1",
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            | self.extra_env()
        )
        self.parts: dict[str, Process] = {}
        for service in services(self.env, port=self.port):
            if service.name == "predict":
                continue
            argv = [worker_app if word == "config.celery" else word for word in service.command.argv]
            command = replace(service.command, argv=argv)
            self.parts[service.name] = Process(service.name, command, log=self.engines.log(service.name))

    def extra_env(self) -> dict[str, str]:
        """What an installation of another purpose adds."""
        return {}

    def start(self, *, tenants: int) -> list[TenantKey]:
        """Starts all over an empty folder, with so many tenants."""
        self.engines.start()
        made = self._make_tenants(tenants)
        # Else what was committed just before a crash of PostgreSQL is lost, as it never is on real installations.
        self.query("ALTER DATABASE myriad SET synchronous_commit = on")
        for part in self.parts.values():
            part.start()
        self.wait_ready()
        return made

    def stop(self) -> None:
        for part in self.parts.values():
            part.kill()
        self.engines.stop(grace=0)

    def wait_ready(self) -> None:
        """Until web, dispatcher and a worker answer, whatever was done to them."""
        until(
            lambda: (
                (state := readiness(self.port)).get("dispatcher") == "ok"
                and int(state.get("workers") or 0) >= 1
                and all(state[name] == "ok" for name in ("database", "broker", "storage"))
            )
        )

    def kill(self, name: str) -> None:
        """SIGKILL to the process and to what it started in its session."""
        self.parts[name].kill()

    def restart(self, name: str) -> None:
        self.parts[name].start()

    def add(self, like: str) -> str:
        """Another process like that part, not started yet; its name."""
        name = f"{like}-{len(self.parts)}"
        self.parts[name] = Process(name, self.parts[like].command, log=self.engines.log(name))
        return name

    def manage(self, *arguments: str) -> None:
        """Runs a command of `manage.py` to its end."""
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True)

    def worker_children(self) -> list[psutil.Process]:
        pid = self.parts["worker"].pid
        return psutil.Process(pid).children(recursive=True) if pid and self.parts["worker"].alive else []

    def _make_tenants(self, count: int) -> list[TenantKey]:
        command = [sys.executable, "-m", "tests.chaos.tenants", str(count)]
        made = subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True)
        return [TenantKey(**one) for one in json.loads(made.stdout)]

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        """As superuser, past row-level security."""
        address = urlsplit(self.env["DATABASE_ADMIN_URL"])._replace(path="/myriad").geturl()
        with closing(psycopg2.connect(address)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []

    def broker(self) -> "redis.Redis":
        return redis.Redis.from_url(self.env["REDIS_URL"])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def logs(self) -> str:
        return "\n".join(f"{name} | {line}" for name, part in self.parts.items() for line in part.last_lines(40))


@contextmanager
def ground(*, tenants: int, **options: Any) -> Iterator[tuple[Ground, list[TenantKey]]]:
    """An installation for the length of a `with`, and its tenants."""
    # Not pytest's own folder: PostgreSQL's account, which is not root's, could not pass there.
    folder = Path(tempfile.mkdtemp(prefix="myriad-chaos-"))
    made = Ground(folder, **options)
    try:
        yield made, made.start(tenants=tenants)
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def until(is_so: Callable[[], object], *, seconds: float = PATIENCE, every: float = 0.02) -> None:
    """Waits until it is so; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds:.0f} s")
        time.sleep(every)
