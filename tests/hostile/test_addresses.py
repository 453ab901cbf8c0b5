"""No address that a client names is ever asked (SSRF): no field takes one, and where texts hold one they stay texts."""

import json
import re
import socket
from collections.abc import Iterator

import pytest

from tests.cast import Cast
from tests.hostile.writes import broke, json_writes, text_places, with_text
from tests.isolation.schema import operations, properties
from tests.isolation.world import World
from tests.projects.conftest import project_of
from tests.projects.files import File, encoded, picture
from tests.projects.test_direct_door import carry
from tests.projects.uploading import ask, complete, send
from tests.projects.working import Hand, rows

NAMES = re.compile(r"(^|_)(ur[il]s?|href|links?|callbacks?|webhooks?|endpoints?|redirects?|proxy|hosts?|origins?)(_|$)")
FORMATS = {"uri", "url", "uri-reference", "iri", "hostname", "ipv4", "ipv6", "idn-hostname"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listens on loopback; at the end nobody has called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def lures(listener: socket.socket) -> list[str]:
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    return [f"http://{host}/a.png", f"//{host}/a", f"http://a@{host}#@b/", f"gopher://{host}/_x", "file:///etc/passwd"]


def test_no_request_has_a_field_for_an_address() -> None:
    for method, path, operation in operations():
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for name, schema in properties(media["schema"]):
                assert schema.get("format") not in FORMATS, (method, path, name)
                assert not NAMES.search(name.lower()), (method, path, name)
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"].get("format") not in FORMATS, (method, path, parameter["name"])
            assert not NAMES.search(parameter["name"].lower().replace("-", "_")), (method, path, parameter["name"])


def test_the_look_would_see_one() -> None:
    assert all(NAMES.search(name) for name in ("url", "callback_url", "webhook", "image_uri", "endpoint"))
    assert not any(NAMES.search(name) for name in ("name", "curl", "description", "linked"))


def test_an_address_in_any_text_is_a_text(world: World, listener: socket.socket) -> None:
    tried = 0
    for write in json_writes(world.acme):
        for place in text_places(write.body, write.schema):
            for lure in lures(listener):
                answer = write.send(world, json.dumps(with_text(write.body, place, lure)))
                assert not broke(answer), (str(write), place, lure)
                assert "root:" not in answer.content.decode()
                tried += 1
    assert tried > 100


def test_an_address_for_a_picture_is_not_followed(cast: Cast, listener: socket.socket) -> None:
    """As a filename, in metadata, as a class, and where a picture's bytes should be; ingest included."""
    alice, hand = cast.alice, Hand()
    project = project_of(alice)
    for number, lure in enumerate(lures(listener)):
        file = File(lure, encoded(picture(lure), "PNG"), "image/png")
        line = ask(alice, project, file.item(metadata={"source": lure, "url": lure}, group=lure))[0]
        assert send(line["upload"], file.data).status_code == 204
        complete(alice, project, line["image"])
        hand.work()
        assert rows(alice, line["image"]) == [("READY", None)]
        shown = alice.api.get(f"/api/v1/images/{line['image']}").json()
        assert (shown["filename"], shown["metadata"]["url"]) == (lure, lure)
        direct = carry(alice, project, File(f"{number}.jpg", lure.encode()))
        hand.work()
        assert rows(alice, direct.json()["image"]["id"]) == [("FAILED", "not_an_image")]
        form = alice.api.post(f"/api/v1/projects/{project}/images", {"file": lure}, format="multipart")
        assert form.status_code == 400


def test_a_picture_that_names_an_address_is_not_asked_for_more(cast: Cast, listener: socket.socket) -> None:
    """XML in pictures, and vector pictures, can tell a reader to fetch."""
    alice, hand = cast.alice, Hand()
    project = project_of(alice)
    lure = lures(listener)[0]
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{lure}"/>&e;</svg>'
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{lure}">]>{drawing}'
    packet = f'<?xpacket begin="" id="x"?><!DOCTYPE x SYSTEM "{lure}"><x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    files = [
        File("entity.png", entity.encode(), "image/png"),
        File("xmp.webp", encoded(picture("xmp"), "WEBP", xmp=packet.encode()), "image/webp"),
        File("eps.jpg", f"%!PS-Adobe-3.0 EPSF\n({lure}) run".encode()),
    ]
    images = [carry(alice, project, file).json()["image"]["id"] for file in files]
    hand.work()
    assert [status for status, _ in rows(alice, *images)] == ["FAILED", "READY", "FAILED"]
