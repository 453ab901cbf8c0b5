"""Headers that ask for another host, method, person or address: none is believed."""

from typing import Any

from tests.cast import Cast
from tests.isolation.world import World

HOSTS = ["X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "X-Original-Host", "Forwarded"]
PATHS = ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Script-Name"]
METHODS = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
PEOPLE = ["X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-API-Key", "Proxy-Authorization"]


def header(name: str, value: str) -> dict[str, Any]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value}


def test_links_bear_our_own_host(world: World) -> None:
    for name in HOSTS:
        value = "host=evil.example" if name == "Forwarded" else "evil.example"
        answer = world.cast.alice.api.get("/api/v1/projects?limit=1", **header(name, value))
        assert answer.json()["next"].startswith("http://testserver/api/v1/projects?")
        assert b"evil.example" not in answer.content + str(answer.headers).encode()


def test_a_host_that_is_not_ours_is_refused(cast: Cast) -> None:
    for host in (
        "evil.example",
        "testserver.evil.example",
        "evil.example#testserver",
        "a b",
        "testserver@evil.example",
    ):
        answer = cast.alice.api.get("/api/v1/me", HTTP_HOST=host)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), host
        assert b"evil" not in answer.content
    assert cast.alice.api.get("/api/v1/me", HTTP_HOST="testserver").status_code == 200


def test_the_address_is_that_of_the_request(world: World) -> None:
    for name in PATHS:
        path = f"/api/v1/projects/{world.acme.project}"
        answer = world.cast.alice.api.get("/api/v1/me", **header(name, path))
        assert answer.json()["tenant"]["id"] == str(world.acme.tenant)


def test_the_method_is_that_of_the_request(world: World) -> None:
    for name in METHODS:
        alice, path = world.cast.alice.api, f"/api/v1/projects/{world.acme.project}"
        assert alice.get(f"{path}?_method=DELETE", **header(name, "DELETE")).status_code == 200
        assert alice.post(f"{path}?_method=DELETE", {"_method": "DELETE"}, **header(name, "DELETE")).status_code == 405
        assert alice.get(path).status_code == 200


def test_who_asks_is_whose_key_it_is(cast: Cast) -> None:
    for name in PEOPLE:
        email, token = cast.alice.seat.member.user.email, cast.alice.seat.token.text
        for value in (email, token, f"Bearer {token}"):
            assert cast.anonymous.get("/api/v1/me", **header(name, value)).status_code == 401
            me = cast.charlie.api.get("/api/v1/me", **header(name, value))
            assert me.json()["tenant"]["id"] == str(cast.charlie.tenant.id)


def test_of_two_keys_none_counts(cast: Cast) -> None:
    """A server joins repeated headers; which of them was meant is not ours to guess."""
    charlie, alice = (f"Bearer {person.seat.token.text}" for person in (cast.charlie, cast.alice))
    odd = (f"{charlie}, {alice}", f"{charlie},{alice}", f"{charlie} {alice}", "Bearer", "Bearer " * 9)
    for value in (
        *odd,
        charlie.replace("Bearer", "Basic"),
        charlie.replace("_", "\u2017"),
        "\x00",
        "Bearer " + "x" * 9000,
    ):
        answer = cast.anonymous.get("/api/v1/me", HTTP_AUTHORIZATION=value)
        assert answer.status_code == 401, value
        assert answer.headers["WWW-Authenticate"]
    assert cast.anonymous.get("/api/v1/me", HTTP_AUTHORIZATION=charlie).status_code == 200


def test_a_key_in_the_address_opens_nothing(cast: Cast) -> None:
    """Addresses stand in logs."""
    token = cast.alice.seat.token.text
    for name in ("key", "api_key", "token", "access_token", "authorization"):
        assert cast.anonymous.get("/api/v1/me", {name: token}).status_code == 401


def test_no_answer_is_left_to_guessing(world: World) -> None:
    """Each says what it is, and that nobody is to guess otherwise; refusals too."""
    alice = world.cast.alice.api
    answers = [
        alice.get("/api/v1/me"),
        alice.get("/api/v1/nowhere"),
        alice.get("/api/v1/schema"),
        alice.get(f"/api/v1/images/{world.bolt.image}"),
        alice.get(f"/api/v1/images/{world.acme.image}/file"),
        alice.put("/api/v1/me", {}),
        alice.post("/api/v1/projects", "<html>", content_type="text/html"),
        world.cast.anonymous.get("/api/v1/me"),
        alice.get("/api/v1/me", HTTP_HOST="evil.example"),
        alice.get("/healthz"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 404, 302, 405, 415, 401, 400, 200]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "html" not in answer.headers.get("Content-Type", "") or not answer.content
