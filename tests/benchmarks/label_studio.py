"""The same operations on Label Studio, so that our figures stand beside a peer's from the same machine and hour.

It runs from a virtual environment of its own (`pip install label-studio gunicorn`), never from ours, on a database of
its own in the benchmark's PostgreSQL, behind the gunicorn settings of our own web: two processes of four threads.
"""

import json
import os
import random
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from deploy.local.ports import HOST, Ports
from deploy.local.services import ROOT
from tests.benchmarks.load import Request, drive
from tests.benchmarks.stack import Stack

TASKS, IMPORT_ROWS = 100, 5000
LISTS, CREATES, IMPORTS, ROUNDS, THREADS = 60, 60, 2, 3, 4
START_SECONDS, INIT_SECONDS = 120, 300
_USER, _PASSWORD, _TOKEN = "bench@example.com", "not-a-secret-of-anything", "b" * 40
_WHERE = "import importlib.util as u; print(u.find_spec('label_studio').submodule_search_locations[0])"
_CONFIG = """<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">
<Label value="dent"/><Label value="scratch"/></RectangleLabels></View>"""


def rates(venv: Path, stack: Stack) -> dict[str, float]:
    """Lists of 20 tasks, new projects and imported tasks a second, under the names that ours have."""
    with tempfile.TemporaryDirectory(prefix="label-studio-") as folder, _running(venv, stack, Path(folder)) as url:
        project = _made(url)
        drive(url, requests=[_import(project, TASKS)], threads=1)
        work: dict[str, tuple[Callable[[], Request], int, int, int]] = {
            "list_per_s": (lambda: _list(project), LISTS, THREADS, 1),
            "create_per_s": (_create, CREATES, THREADS, 1),
            "register_rows_per_s": (lambda: _import(_made(url), IMPORT_ROWS), IMPORTS, 2, IMPORT_ROWS),
        }
        measured: dict[str, list[float]] = {name: [] for name in work}
        for turn in range(ROUNDS + 1):
            for name, (make, count, threads, rows) in work.items():
                rate = drive(url, requests=[make() for _ in range(count)], threads=threads).rate
                measured[name] += [rows * rate] if turn else []
    return {name: statistics.median(found) for name, found in measured.items()}


def _list(project: int) -> Request:
    return _request("GET", f"/api/tasks?project={project}&page=1&page_size=20&fields=all")


def _create() -> Request:
    body = {"title": f"New {random.getrandbits(40):x}", "label_config": _CONFIG}
    return _request("POST", "/api/projects", body, expect=(201,))


def _import(project: int, rows: int) -> Request:
    tasks = [{"data": {"image": f"s3://bench/{row}.jpg", "camera": row % 5, "shift": "night"}} for row in range(rows)]
    return _request("POST", f"/api/projects/{project}/import", tasks, expect=(201,))


def _request(method: str, path: str, body: object = None, *, expect: tuple[int, ...] = (200,)) -> Request:
    data = b"" if body is None else json.dumps(body).encode()
    return Request(method, path, _TOKEN, data, expect, scheme="Token")


def _made(url: str) -> int:
    """The id of a new project."""
    asked = _create()
    headers = {"Authorization": f"Token {_TOKEN}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + asked.path, asked.body, headers), timeout=60) as answer:  # noqa: S310 - our own address
        return int(json.load(answer)["id"])


@contextmanager
def _running(venv: Path, stack: Stack, folder: Path) -> Iterator[str]:
    """Its address, while it runs; with a fresh database, a user, and that one's token."""
    python, env = str(venv / "bin" / "python"), _environment(stack, folder)
    init = [str(venv / "bin" / "label-studio"), "init", "--no-browser", "--username", _USER, "--password", _PASSWORD]
    init += ["--user-token", _TOKEN, "--enable-legacy-api-token", "bench"]
    conf = str(ROOT / "deploy" / "local" / "gunicorn_conf.py")
    port = Ports(folder / "ports").choose("label-studio")
    with (folder / "log").open("wb") as log:
        subprocess.run(init, env=env, stdout=log, stderr=log, check=True, timeout=INIT_SECONDS)
        inside = subprocess.check_output([python, "-c", _WHERE], env=env, text=True).strip()
        serve = [python, "-m", "gunicorn", "-c", conf, "--pythonpath", inside]
        serve += ["--bind", f"{HOST}:{port}", "label_studio.core.wsgi"]
        server = subprocess.Popen(serve, env=env, stdout=log, stderr=log)
        try:
            _wait(f"http://{HOST}:{port}", server, folder / "log")
            yield f"http://{HOST}:{port}"
        finally:
            server.terminate()
            server.wait(30)


def _environment(stack: Stack, folder: Path) -> dict[str, str]:
    admin = stack.env["DATABASE_ADMIN_URL"]
    with closing(psycopg2.connect(admin)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE label_studio")
    parts = urlsplit(admin)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "DJANGO_SETTINGS_MODULE": "label_studio.core.settings.label_studio",
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "DJANGO_DB": "default",
        "POSTGRE_NAME": "label_studio",
        "POSTGRE_HOST": str(parts.hostname),
        "POSTGRE_PORT": str(parts.port),
        "POSTGRE_USER": str(parts.username),
        "POSTGRE_PASSWORD": str(parts.password),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        # It is measured, and not the network to its makers.
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "DEBUG": "false",
        "LOG_LEVEL": "WARNING",
    }


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310 - our own address
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"Label Studio did not start:\n{log.read_text()[-2000:]}")
