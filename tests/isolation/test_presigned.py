"""Addresses and forms that are handed out: good for one object of one tenant, and for nothing else."""

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from rest_framework.test import APIClient

from projects.domain.images import image_key
from projects.domain.ingest import incoming_key
from tenants.storage import ObjectMissing, TenantStorage
from tests.isolation.guards import Guards
from tests.isolation.world import Holdings, World, item, kept_bytes, picture

BOUNDARY = "boundary-of-the-form"
STORED = kept_bytes("acme", "stored")


def send(method: str, address: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def post_form(url: str, fields: dict[str, str], data: bytes) -> int:
    lines = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = "".join(lines) + f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    status, _ = send("POST", url, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    return status


def location(api: APIClient, holdings: Holdings, which: str = "file") -> str:
    response = api.get(f"/api/v1/images/{holdings.image}/{which}")
    assert response.status_code == 302, response.content
    return str(response["Location"])


@pytest.mark.parametrize(("which", "data"), [("file", STORED), ("thumbnail", b"acme thumbnail")])
def test_an_owner_gets_the_bytes_and_nobody_else(which: str, data: bytes, world: World) -> None:
    address = location(world.cast.alice.api, world.acme, which)
    assert send("GET", address) == (200, data)
    assert send("GET", address.partition("?")[0])[0] == 403


def test_an_address_is_good_for_its_own_object_only(world: World) -> None:
    bolts = location(world.cast.charlie.api, world.bolt)
    acmes = location(world.cast.alice.api, world.acme)
    signature, path = urlsplit(bolts).query, urlsplit(acmes).path
    for altered in (
        bolts.replace(urlsplit(bolts).path, path),
        bolts.replace(str(world.bolt.tenant), str(world.acme.tenant)),
        bolts.replace(
            urlsplit(bolts).path, f"{urlsplit(bolts).path}/../../../{world.acme.tenant}/{image_key('0' * 64)}"
        ),
        f"{acmes.partition('?')[0]}?{signature}",
        acmes.partition("&X-Amz-Signature=")[0],
        acmes.replace("X-Amz-Expires=300", "X-Amz-Expires=604800"),
    ):
        status, body = send("GET", altered)
        assert status in (400, 403), altered
        assert STORED not in body
    assert send("GET", acmes)[1] == STORED


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_an_address_for_reading_does_not_write(method: str, world: World) -> None:
    address = location(world.cast.alice.api, world.acme)
    assert send(method, address, b"x")[0] in (403, 405)
    assert send("GET", address)[1] == STORED


def test_an_address_ends(world: World) -> None:
    query = parse_qs(urlsplit(location(world.cast.alice.api, world.acme)).query)
    assert int(query["X-Amz-Expires"][0]) <= 300


def test_without_the_guards_an_address_leads_into_the_askers_own_prefix(guarded_world: World, guards: Guards) -> None:
    """The third guard: with both others gone, Charlie is given an address for Acme's image, and finds nothing there."""
    if guards is not Guards.NONE:
        assert guarded_world.cast.charlie.api.get(f"/api/v1/images/{guarded_world.acme.image}/file").status_code == 404
        return
    address = location(guarded_world.cast.charlie.api, guarded_world.acme)
    assert f"/t/{guarded_world.bolt.tenant}/" in address
    assert send("GET", address)[0] == 404


@pytest.fixture
def form(world: World) -> Iterator[dict[str, Any]]:
    """A form that Bolt was given for a file of its own."""
    body = {"files": [item("fresh")]}
    answer = world.cast.charlie.api.post(f"/api/v1/projects/{world.bolt.project}/uploads", body, format="json")
    line = answer.json()["results"][0]
    yield line["upload"] | {"image": line["image"]}
    TenantStorage(world.bolt.tenant).delete([incoming_key(line["image"])])


def test_a_form_takes_its_own_file(form: dict[str, Any], world: World) -> None:
    assert post_form(form["url"], form["fields"], picture("fresh")) in (200, 201, 204)
    assert TenantStorage(world.bolt.tenant).sizes("incoming", names=[form["image"]])


@pytest.mark.parametrize(
    "key",
    [
        "t/{acme}/incoming/{awaiting}",
        "t/{acme}/incoming/new",
        "t/{bolt}/incoming/another",
        "t/{bolt}/images/{hash}",
        "t/{bolt}/incoming/../../{acme}/incoming/new",
        "${filename}",
    ],
)
def test_a_form_takes_no_other_key(key: str, form: dict[str, Any], world: World) -> None:
    places = {"acme": world.acme.tenant, "bolt": world.bolt.tenant, "awaiting": world.acme.awaiting, "hash": "0" * 64}
    named = key if key.startswith("$") else key.format(**places)
    assert post_form(form["url"], form["fields"] | {"key": named}, picture("fresh")) in (400, 403)
    held = TenantStorage(world.acme.tenant).sizes("incoming", names=[str(world.acme.awaiting), "new"])
    assert held == {str(world.acme.awaiting): len(picture("acme awaiting"))}


def test_a_form_takes_no_other_bytes(form: dict[str, Any]) -> None:
    fresh = picture("fresh")
    assert post_form(form["url"], form["fields"], picture("other")) in (400, 403)
    assert post_form(form["url"], form["fields"], fresh + b"\0") in (400, 403)
    assert post_form(form["url"], form["fields"], fresh[:-1] + b"\0") in (400, 403)


def test_the_part_of_an_upload_goes_to_its_own_object_only(world: World, tmp_path: Any) -> None:
    storages = {holdings: TenantStorage(holdings.tenant) for holdings in (world.acme, world.bolt)}
    begun = {
        holdings: own.start_multipart("incoming/parts", content_type="image/png") for holdings, own in storages.items()
    }
    addresses = {
        holdings: own.presign_part("incoming/parts", upload_id=begun[holdings], number=1, size=1)
        for holdings, own in storages.items()
    }
    assert send("PUT", addresses[world.bolt], b"more than was signed")[0] == 403
    assert send("PUT", addresses[world.bolt], b"x")[0] == 200
    acmes, bolts = (urlsplit(addresses[holdings]) for holdings in (world.acme, world.bolt))
    swapped = parse_qs(bolts.query) | {"uploadId": [begun[world.acme]]}
    for path, query in ((acmes.path, bolts.query), (bolts.path, urlencode(swapped, doseq=True)), (acmes.path, "")):
        assert send("PUT", f"http://{bolts.netloc}{path}?{query}", b"x")[0] == 403
    assert storages[world.acme].uploaded_parts("incoming/parts", upload_id=begun[world.acme]) == {}
    # Acme's upload is none of Bolt's, by its id either.
    with pytest.raises(ObjectMissing):
        storages[world.bolt].uploaded_parts("incoming/parts", upload_id=begun[world.acme])
    for holdings, own in storages.items():
        own.abort_multipart("incoming/parts", upload_id=begun[holdings])
