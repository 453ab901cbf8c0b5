"""Myriad's own processes, as the stack runs them, and the commands that prepare the engines for them."""

import contextlib
import http.client
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.addresses import without_privileges
from deploy.local.ports import HOST
from deploy.local.process import Command

ROOT = Path(__file__).resolve().parents[2]
Readiness = dict[str, Any]
WORKER_NICE = 19
# One process, so that models' weights are kept once; it imports for itself, because onnxruntime's threads do not
# survive a fork.
SERVING = {"WEB_PROCESSES": "1", "WEB_THREADS": "8", "WEB_PRELOAD": "0"}


@dataclass(frozen=True)
class Service:
    """A process of ours. `ready` judges the web's `/readyz`; `grace` is how many seconds it has to end in."""

    name: str
    command: Command
    ready: Callable[[Readiness], bool]
    grace: float


def services(env: Mapping[str, str], *, port: int) -> list[Service]:
    """In the order of their start; they stop in the reverse one, so that the worker drains first."""
    env = without_privileges(env)
    slots, pool = env.get("WORKER_SLOTS", "2"), env.get("WORKER_POOL", "cpu")
    gunicorn = ["-m", "gunicorn", "-c", "deploy/local/gunicorn_conf.py", "--bind"]
    web = [*gunicorn, f"{HOST}:{port}", "config.wsgi"]
    predict = [*gunicorn, urlsplit(env.get("PREDICT_URL", "")).netloc, "config.serving_wsgi"]
    worker = ["-W", "ignore:You're running the worker with superuser", "-m", "celery", "--quiet"]
    worker += ["-A", "config.celery", "worker", "--pool", "threads", "--concurrency", slots]
    worker += ["--queues", f"pool.{pool}", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    return [
        # gunicorn's own processes see for themselves when it is gone; a SIGTERM lets it end them at once.
        Service("web", _python(web, env, death_signal=signal.SIGTERM), _web_ready, grace=3),
        Service("predict", _python(predict, env | SERVING, death_signal=signal.SIGTERM), _predict_ready, grace=3),
        # Killed with the supervisor: their database goes at the same moment, so there is nothing to drain
        # into, and leases are made for that.
        Service("dispatcher", _python(["manage.py", "dispatcher"], env), _dispatcher_ready, grace=2),
        # On a machine shared by all, who waits for an answer goes before who works in the background.
        Service("worker", _python(worker, env, nice=WORKER_NICE), _worker_ready, grace=6),
    ]


def preparations(env: Mapping[str, str]) -> dict[str, Command]:
    """Commands by name, each to be run to its end before the services start. Repeatable.

    Roles and migrations are left out where no address with the rights for them is known: whoever brings a
    database of their own may keep those addresses to themselves.
    """
    commands = {}
    if env.get("DATABASE_ADMIN_URL"):
        commands["database"] = _python(["manage.py", "database", "bootstrap"], env)
    if env.get("DATABASE_OWNER_URL"):
        commands["migrate"] = _python(["manage.py", "migrate", "--database", "owner", "--verbosity", "0"], env)
    commands["storage"] = _python(["manage.py", "storage", "bootstrap"], env)
    commands["backbone"] = _python(["manage.py", "backbone"], env)
    return commands


def readiness(port: int) -> Readiness:
    """What the web says of itself and the others; empty while it does not answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        connection.request("GET", "/readyz", headers={"Accept": "application/json"})
        body = json.loads(connection.getresponse().read())
        if isinstance(body, dict):
            return body
    return {}


def _web_ready(state: Readiness) -> bool:
    return all(state.get(part) == "ok" for part in ("database", "broker", "storage"))


def _predict_ready(state: Readiness) -> bool:
    return state.get("predictions") == "ok"


def _dispatcher_ready(state: Readiness) -> bool:
    return state.get("dispatcher") == "ok"


def _worker_ready(state: Readiness) -> bool:
    return int(state.get("workers") or 0) >= 1


def _python(
    arguments: list[str], env: Mapping[str, str], *, death_signal: signal.Signals = signal.SIGKILL, nice: int = 0
) -> Command:
    # Two arenas: with one for each thread, as is usual, malloc keeps memory that nobody uses.
    env = {**env, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", "DJANGO_SETTINGS_MODULE": "config.settings"}
    return Command([sys.executable, *arguments], env, ROOT, death_signal=death_signal, nice=nice)
