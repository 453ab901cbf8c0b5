"""The campaign can fail: it finds each fault that was planted in a server, and does not accuse its sound part."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.fuzz import campaign
from tests.fuzz.campaign import Asker

MARK, OWN = "6f1c7a52-acce-7000-8000-000000000001", "6f1c7a52-b017-7000-8000-000000000002"
TOKEN = "myr_planted"
ANSWERS = {
    "sound": (200, {"id": OWN}),
    "leaking": (200, {"id": MARK}),
    "gossiping": (200, {"id": OWN, "note": "as ACME does"}),
    "broken": (500, {"id": OWN}),
    "lying": (200, {"id": 7}),
    "open": (200, {"id": OWN}),
}


class Planted(BaseHTTPRequestHandler):
    """Answers `/KIND/ID` as ANSWERS says, to the key. `/stranger/ID` repeats the id that was named, as is sound."""

    def do_GET(self) -> None:
        _, kind, named = [*self.path.split("?")[0].split("/"), ""][:3]
        status, body = ANSWERS.get(kind, (200, {"id": named}))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and kind != "open":
            status, body = 401, {}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Planted) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """One operation for each kind of answer."""
    thing = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    content = {"application/json": {"schema": thing}}
    operation = {
        "security": [{"key": []}],
        "parameters": [
            {"in": "path", "name": "thing_id", "required": True, "schema": {"type": "string", "format": "uuid"}}
        ],
        "responses": {
            "200": {"description": "", "content": content},
            "401": {"description": ""},
            "500": {"description": ""},
        },
    }
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Planted", "version": "1"},
        "paths": {f"/{kind}/{{thing_id}}": {"get": operation} for kind in (*ANSWERS, "stranger")},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }
    (tmp_path / "schema.json").write_text(json.dumps(document), "utf-8")
    return tmp_path / "schema.json"


def test_planted_faults_are_found(url: str, schema: Path) -> None:
    names = {"thing_id": OWN}
    asker = Asker(token=TOKEN, marks=[MARK], words=["acme"], own=names, foreign={"thing_id": MARK}, spared=[])
    outcome = campaign.run(url, asker, seed=1, examples=30, phases="fuzzing", schema=schema)
    assert not outcome.passed
    found = dict(re.findall(r"_ GET /(\w+)/\S+ _+\n.*?\n- (.*?)\n", outcome.said, re.DOTALL))
    assert found.keys() == {"leaking", "gossiping", "broken", "lying", "open"}, outcome.said
    assert "another tenant's" in outcome.said
    assert outcome.accepted == {f"GET /{kind}/{{thing_id}}" for kind in (*ANSWERS, "stranger")} - {
        "GET /broken/{thing_id}"
    }
