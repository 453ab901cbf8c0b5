"""Texts that break programs: each field of each write keeps one as it came, or says why not."""

import json

from tests.cast import Cast
from tests.hostile.writes import broke, json_writes, text_places, with_text
from tests.isolation.world import World, all_rows

# Tried in each field of each write.
BREAKING = [
    "a\x00b",
    "\ud800",
    "line\nbreak\r\nX-Injected: yes",
    "\u202egpj.exe",
    "x" * 100_000,
    "../../../../etc/passwd",
    "%s%n%00{0.__class__}{{7*7}}${7*7}'; DROP TABLE projects_project; --",
]
# Tried in one.
TEXTS = [
    *BREAKING,
    "\x00",
    "\u2066\u2069\u200f\u200b\ufeff",
    "\u2028\u2029\x85-",
    "\U0010ffff\ufffe",
    "e\u0301" * 50,
    "ﷺ" * 100,
    "..\\..\\windows\\win.ini",
    "C:\\con",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "__proto__",
    "None",
    "0",
    "true",
]


def test_no_text_breaks_a_write(world: World) -> None:
    tried = 0
    for write in json_writes(world.acme):
        for place in text_places(write.body, write.schema):
            for text in BREAKING:
                answer = write.send(world, json.dumps(with_text(write.body, place, text)))
                assert not broke(answer), (str(write), place, text[:40], answer.content)
                assert "json" in answer.headers["Content-Type"]
                tried += 1
    assert tried > 20 * len(BREAKING)


def test_a_name_is_kept_as_it_came_or_refused(cast: Cast) -> None:
    alice = cast.alice.api
    for text in TEXTS:
        content = json.dumps({"name": text, "kind": "DETECTION", "description": text})
        answer = alice.post("/api/v1/projects", content, content_type="application/json")
        if "\x00" in text or "\ud800" in text or len(text) > 200:
            assert answer.status_code == 400, ascii(text[:40])
            continue
        assert answer.status_code == 201, ascii(text)
        shown = alice.get(f"/api/v1/projects/{answer.json()['id']}").json()
        assert (shown["name"], shown["description"]) == (text.strip(), text.strip())


def test_no_text_breaks_a_filter(world: World) -> None:
    """And what it finds is what bears it, none of it another tenant's."""
    alice, project = world.cast.alice.api, world.acme.project
    names = ("status", "split", "labelled", "class", "job", "filename", "meta.line", "meta.", "cursor", "limit", "x")
    for name in names:
        for text in (*BREAKING, "true", "meta.\x00", "%", "_", "\\"):
            if "\ud800" in text:
                continue  # no address can hold it
            answer = alice.get(f"/api/v1/projects/{project}/images", {name: text})
            assert answer.status_code in (200, 400), (name, text[:40], answer.content)
            if answer.status_code == 200 and name != "labelled":
                assert answer.json()["results"] == [], (name, text[:40])


def test_what_was_refused_is_nowhere(cast: Cast) -> None:
    """A NUL in one of two fields: the other is not kept either."""
    content = json.dumps({"name": "kept half", "kind": "DETECTION", "description": "\x00"})
    answer = cast.alice.api.post("/api/v1/projects", content, content_type="application/json")
    assert answer.status_code == 400
    assert all_rows("projects_project", cast.alice.tenant.id) == []
