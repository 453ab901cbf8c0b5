"""Bodies that are no bodies: each write answers what is wrong, and keeps nothing of it."""

import json

from tests.hostile.writes import broke, json_writes
from tests.isolation.world import World, state_of

DEEP = 200_000
BROKEN = {
    "a NUL": b"\x00",
    "no JSON": b"{name: 1}",
    "an open end": b'{"name": "a',
    "two documents": b'{"name": "a"} {"name": "b"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "Latin-1": '{"name": "é"}'.encode("latin-1"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "not a number": b'{"name": NaN, "size": Infinity}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "an open depth": b"[" * DEEP,
    "a long number": b'{"name": ' + b"9" * 10_000 + b"}",
    "a list": b"[]",
    "a text": b'"name"',
    "a number": b"-1",
    "null": b"null",
    "true": b"true",
}
HUGE = ["1" + "0" * 4000, "-1e400", "1e400", "9223372036854775808", "-9223372036854775809", "2147483648", "1.5e308"]


def test_what_is_no_object_is_refused_everywhere(world: World) -> None:
    before = state_of(world.acme.tenant)
    tried = 0
    for write in json_writes(world.acme):
        if not write.schema:
            continue
        for name, content in BROKEN.items():
            answer = write.send(world, content)
            assert 400 <= answer.status_code < 500, (str(write), name, answer.content)
            assert answer.json()["code"], (str(write), name)
            tried += 1
    assert tried > 10 * len(BROKEN)
    assert state_of(world.acme.tenant) == before


def test_a_body_that_nobody_reads_breaks_nothing(world: World) -> None:
    """Cancel, promote, export: what they take no body for, they answer whatever comes."""
    tried = 0
    for write in json_writes(world.acme):
        if not write.schema:
            for name, content in (BROKEN | {"nothing": b""}).items():
                answer = write.send(world, content)
                assert not broke(answer), (str(write), name, answer.content)
                tried += 1
    assert tried


def test_no_number_is_too_large_to_be_refused(world: World) -> None:
    """Every field that takes a number, and every one that does not."""
    tried = 0
    for write in json_writes(world.acme):
        for name in write.schema.get("properties", {}):
            for number in HUGE:
                content = json.dumps(write.body | {name: "HUGE"}).replace('"HUGE"', number)
                answer = write.send(world, content)
                assert not broke(answer), (str(write), name, number[:20], answer.content)
                tried += 1
    assert tried


def test_of_a_repeated_key_the_last_counts(world: World) -> None:
    """One reader reads for all checks, so there is no other that could have seen the first."""
    mine, theirs = world.acme, world.bolt
    alice = world.cast.alice.api
    answer = alice.patch(
        f"/api/v1/projects/{mine.project}", '{"name": "first", "name": "last"}', content_type="application/json"
    )
    assert (answer.status_code, answer.json()["name"]) == (200, "last")
    twice = '{"snapshot": "%s", "snapshot": "%s"}'
    path = f"/api/v1/projects/{mine.project}/runs"
    foreign = alice.post(path, twice % (mine.snapshot, theirs.snapshot), content_type="application/json")
    own = alice.post(path, twice % (theirs.snapshot, mine.snapshot), content_type="application/json")
    assert (foreign.status_code, own.status_code) == (404, 202)


def test_nothing_but_json_is_read_as_json(world: World) -> None:
    for write in json_writes(world.acme):
        for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "application/x-yaml", "a"):
            if write.schema and "predict" not in write.address:
                answer = write.send(world, json.dumps(write.body), kind)
                assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), str(write)
