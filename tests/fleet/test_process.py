"""The process that serves predictions: what it imports, and that it serves through real HTTP, with its own threads."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.conf import settings as django_settings
from django.core.wsgi import get_wsgi_application
from django.db import connections

from config.gateway import Gateway
from deploy.local.ports import Ports
from deploy.local.services import ROOT
from tests.cast import Cast, Person
from tests.fleet.asking import PHOTO, send
from tests.heads import Artifacts
from tests.projects.conftest import project_of
from tests.serving import publish_model
from training.models import Model

HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "PIL", "celery")


@pytest.fixture
def environment(database: str, graphs: Path) -> dict[str, str]:
    """What the process is started with: the test's own database."""
    own = {
        name: os.environ[name] for name in os.environ if name.startswith(("PATH", "REDIS_", "S3_", "AWS_", "SECRET"))
    }
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return own | {
        "DATABASE_URL": f"{base}/{database}",
        "BACKBONE_DIR": str(graphs),
        "MYRIAD_LOCAL_DIR": "/nonexistent",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def imported_by(program: str, environment: dict[str, str]) -> list[str]:
    command = f"{program}\nimport json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_serving_imports_neither_torch_nor_an_image_library(
    alice: Person, model: Model, environment: dict[str, str]
) -> None:
    """After a prediction has been made, by the very entry that gunicorn starts."""
    program = f"""
from config.serving_wsgi import application
from django.test import Client
answer = Client().post("/api/v1/models/{model.id}/predict", bytes.fromhex("{PHOTO.hex()}"), content_type="image/png",
                       headers={{"authorization": "Bearer {alice.seat.token.text}", "host": "127.0.0.1"}})
assert answer.status_code == 200, answer.content
from fleet.domain.hosting import hosting
hosting().pool.close()
"""
    assert imported_by(program, environment) == ["onnxruntime", "numpy"]


def test_the_web_imports_none_of_it(environment: dict[str, str]) -> None:
    assert imported_by("import config.wsgi, config.urls, fleet.domain.predictions", environment) == []


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def predict_url(
    alice: Person, model: Model, environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """gunicorn with `config.serving_wsgi`, as the stack starts it unless the test names variables of its own."""
    address = f"127.0.0.1:{Ports(tmp_path / 'ports').choose('predict')}"
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/local/gunicorn_conf.py", "--bind", address]
    serving = environment | {"WEB_PROCESSES": "1", "WEB_THREADS": "4", "WEB_PRELOAD": "0"}
    serving |= getattr(request, "param", {})
    with subprocess.Popen([*command, "config.serving_wsgi"], cwd=ROOT, env=serving) as process:
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


def until_it_answers(url: str) -> None:
    for _ in range(300):
        try:
            ask(f"{url}/healthz", "GET")
        except OSError:
            threading.Event().wait(0.1)
        else:
            return
    pytest.fail("the prediction process does not come up")


def test_the_web_hands_predictions_over(cast: Cast, alice: Person, model: Model, predict_url: str) -> None:
    """A real gateway before a real prediction process: pictures, refusals and strangers pass through both."""
    until_it_answers(predict_url)
    web = Gateway(get_wsgi_application(), url=predict_url, most=django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE, at_once=1)
    with make_server("127.0.0.1", 0, web, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/api/v1/models/{model.id}/predict"
        try:
            for _ in range(2):
                status, body = post(address, PHOTO, alice.seat.token.text)
                assert (status, body["model"], body["width"]) == (200, str(model.id), 160)
                assert body["predictions"]
            assert post(address, b"no picture", alice.seat.token.text)[1]["code"] == "not_an_image"
            assert post(address, PHOTO, "myr_nobody")[0] == 401
            large = bytes(16_000_000)
            for url in (address, address.replace(f"http://127.0.0.1:{server.server_port}", predict_url)):
                assert post(url, large, "myr_nobody")[0] == 401
                assert post(url, large, cast.vera.seat.token.text)[0] == 403
                assert post(url, large, alice.seat.token.text, "application/json")[0] == 413
                assert post(url.replace(str(model.id), "-" * 36), large, alice.seat.token.text)[0] == 404
        finally:
            server.shutdown()
            thread.join()
    connections.close_all()
    assert send(alice, f"models/{model.id}/predict").json()["code"] == "prediction_unavailable"  # here, in the web


@pytest.mark.parametrize("predict_url", [{"WEB_PRELOAD": "1"}], indirect=True)
def test_preloading_does_no_harm(
    cast: Cast, model: Model, predict_url: str, graphs: Path, artifacts: Artifacts
) -> None:
    """Decoders and sessions are opened by the process that uses them, not by the one that forked it: its threads,
    which see to a decoder for each tenant that comes, are there."""
    bolts = publish_model(cast.charlie, project_of(cast.charlie), graphs, artifacts)
    until_it_answers(predict_url)
    for person, asked in ((cast.alice, model), (cast.charlie, bolts)) * 2:
        assert post(f"{predict_url}/api/v1/models/{asked.id}/predict", PHOTO, person.seat.token.text)[0] == 200


def test_a_server_that_opens_nothing_beforehand(alice: Person, environment: dict[str, str]) -> None:
    """The first request does, in threads at once, and once."""
    program = """
import threading
from config.serving_wsgi import Serving
from fleet.domain import hosting
opened = []
hosting.hosting = lambda: type("Hosting", (), {"open": lambda self: opened.append(threading.Event().wait(0.1))})()
serving = Serving(lambda environ, start_response: [b"said"])
said = []
def ask(): said.append(serving({}, None))
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert (len(opened), said) == (1, [[b"said"]] * 4)
"""
    imported_by(program, environment)


def post(address: str, data: bytes, key: str, content_type: str = "image/png") -> tuple[int, dict[str, object]]:
    return ask(address, "POST", data, {"Authorization": f"Bearer {key}", "Content-Type": content_type})


def ask(
    address: str, method: str, data: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, object]]:
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as connection:
        connection.request(method, parts.path, data, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
