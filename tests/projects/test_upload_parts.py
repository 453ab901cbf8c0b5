"""Files over 16 MB go in parts, each signed; what has arrived need not be sent again."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connection

from projects.domain import uploads
from projects.models import Image
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.files import File, encoded, picture
from tests.projects.uploading import ask, complete, send_part, statuses
from tests.projects.working import Hand, row, rows

MEBIBYTE = 1024 * 1024
PART = 5 * MEBIBYTE
SIZE = PART + 1000


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if files over 5 MB went in parts of 5 MB, the least that S3 lets a part have that is not the last."""
    monkeypatch.setattr(uploads, "MULTIPART_FROM", PART)
    monkeypatch.setattr(uploads, "PART_BYTES", PART)


def large() -> File:
    """A file of two of the small parts; nobody decodes it."""
    return File("large.jpg", os.urandom(1000) + bytes(PART))


def send_all(upload: dict[str, Any], data: bytes) -> None:
    for part in upload["parts"]:
        assert send_part(upload, part["number"], data).status_code == 200


def test_large_bitmap_is_sent_in_parts_resumed_and_ingested(alice: Person, project: str, hand: Hand) -> None:
    file = File("scan.bmp", encoded(picture("scan", 2500, 2400), "BMP"), "image/bmp")
    assert 17 * MEBIBYTE < len(file.data) < 18 * MEBIBYTE
    line = ask(alice, project, file)[0]
    upload = line["upload"]

    assert (upload["method"], upload["part_size"], upload["uploaded"]) == ("MULTIPART", 8 * MEBIBYTE, [])
    assert [(part["number"], part["size"]) for part in upload["parts"]] == [
        *((1, 8 * MEBIBYTE), (2, 8 * MEBIBYTE)),
        (3, len(file.data) - 16 * MEBIBYTE),
    ]
    assert send_part(upload, 2, file.data).status_code == 200
    assert statuses(complete(alice, project, line["image"])) == ["MISSING"]

    resumed = ask(alice, project, file)[0]
    assert (resumed["image"], resumed["upload"]["uploaded"]) == (line["image"], [2])
    for number in (3, 1):
        assert send_part(resumed["upload"], number, file.data).status_code == 200
    assert statuses(complete(alice, project, line["image"])) == ["ARRIVED"]

    assert hand.work() == ["SUCCEEDED"]
    shown = alice.api.get(f"/api/v1/images/{line['image']}").json()
    assert (shown["status"], shown["width"], shown["height"]) == ("READY", 2500, 2400)


def test_file_of_sixteen_megabytes_still_goes_in_one_form(alice: Person, project: str) -> None:
    file = File("edge.jpg", b"")
    lines = ask(
        alice,
        project,
        file.item(size=16 * MEBIBYTE, sha256="a" * 64),
        file.item(size=16 * MEBIBYTE + 1, sha256="b" * 64),
        file.item(size=128 * MEBIBYTE, sha256="c" * 64),
    )

    assert [line["upload"]["method"] for line in lines] == ["POST", "MULTIPART", "MULTIPART"]
    assert [part["size"] for part in lines[1]["upload"]["parts"]] == [8 * MEBIBYTE, 8 * MEBIBYTE, 1]
    assert [part["size"] for part in lines[2]["upload"]["parts"]] == [8 * MEBIBYTE] * 16


@pytest.mark.usefixtures("small_parts")
def test_part_of_the_wrong_size_keeps_the_image_missing(alice: Person, project: str, storage: TenantStorage) -> None:
    """S3 refuses it, as its size is signed; should one get there all the same, it is not counted."""
    file = large()
    line = ask(alice, project, file)[0]
    image, upload = line["image"], line["upload"]
    key, upload_id = f"incoming/{image}", row(alice, image).multipart_id
    assert send_part(upload, 2, file.data).status_code == 200
    for data in (file.data[: PART - 1], file.data[: PART + 1]):
        assert httpx.put(upload["parts"][0]["url"], content=data).status_code == 403
        address = storage.presign_part(key, upload_id=upload_id, number=1, size=len(data))
        assert httpx.put(address, content=data).status_code == 200
        assert statuses(complete(alice, project, image)) == ["MISSING"]
        assert ask(alice, project, file)[0]["upload"]["uploaded"] == [2]

    assert send_part(upload, 1, file.data).status_code == 200
    assert statuses(complete(alice, project, image)) == ["ARRIVED"]
    assert storage.sizes("incoming", names=[image]) == {image: SIZE}


@pytest.mark.usefixtures("small_parts")
def test_upload_that_s3_forgot_starts_anew(alice: Person, project: str, storage: TenantStorage) -> None:
    """Buckets abort uploads in parts that nobody finished for a day."""
    file = large()
    line = ask(alice, project, file)[0]
    image = line["image"]
    send_part(line["upload"], 1, file.data)
    storage.abort_multipart(f"incoming/{image}", upload_id=row(alice, image).multipart_id)

    assert statuses(complete(alice, project, image)) == ["MISSING"]
    again = ask(alice, project, file)[0]

    assert (again["image"], again["upload"]["uploaded"]) == (image, [])
    assert send_part(line["upload"], 1, file.data).status_code >= 400
    send_all(again["upload"], file.data)
    assert statuses(complete(alice, project, image)) == ["ARRIVED"]


@pytest.mark.usefixtures("small_parts")
def test_file_put_together_by_a_call_that_died_is_found(alice: Person, project: str, storage: TenantStorage) -> None:
    file = large()
    line = ask(alice, project, file)[0]
    send_all(line["upload"], file.data)
    key, upload_id = f"incoming/{line['image']}", row(alice, line["image"]).multipart_id
    parts = storage.uploaded_parts(key, upload_id=upload_id)
    storage.finish_multipart(key, upload_id=upload_id, parts=parts)

    assert statuses(complete(alice, project, line["image"])) == ["ARRIVED"]


@pytest.mark.usefixtures("small_parts")
def test_concurrent_completions_put_the_parts_together_once(alice: Person, project: str) -> None:
    file = large()
    line = ask(alice, project, file)[0]
    send_all(line["upload"], file.data)

    def finish(_: int) -> int:
        try:
            return int(complete(alice, project, line["image"]).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(finish, range(4)))

    # Whoever looks between the parts' end and the object's beginning sees it missing for that moment.
    assert set(answers) <= {200, 202}
    assert 202 in answers
    assert rows(alice, line["image"]) == [("ARRIVED", None)]
    with tenant_scope(alice.tenant.id):
        assert Job.objects.count() == 1


@pytest.mark.usefixtures("small_parts")
def test_corrected_size_cuts_other_parts(alice: Person, project: str) -> None:
    """Parts of the first, mistaken size would never add up."""
    file = large()
    wrong = ask(alice, project, file.item(size=2 * PART + 5))[0]
    send_all(wrong["upload"], bytes(2 * PART + 5))

    right = ask(alice, project, file)[0]

    assert (right["image"], right["upload"]["uploaded"]) == (wrong["image"], [])
    assert [part["size"] for part in right["upload"]["parts"]] == [PART, 1000]
    send_all(right["upload"], file.data)
    assert statuses(complete(alice, project, right["image"])) == ["ARRIVED"]


@pytest.mark.usefixtures("small_parts")
def test_other_bytes_in_parts_are_refused_by_ingest(alice: Person, project: str, hand: Hand) -> None:
    """A part is signed without a hash; the whole is compared with what was announced before it is decoded."""
    file = large()
    line = ask(alice, project, file)[0]
    send_all(line["upload"], file.data[::-1])
    assert statuses(complete(alice, project, line["image"])) == ["ARRIVED"]

    assert hand.work() == ["SUCCEEDED"]
    assert rows(alice, line["image"]) == [("FAILED", "hash_mismatch")]

    # Sent again, it needs a new upload in parts; the old one's id leads nowhere.
    again = ask(alice, project, file)[0]
    assert (again["status"], again["upload"]["uploaded"]) == ("AWAITING", [])
    with tenant_scope(alice.tenant.id):
        assert Image.objects.get(id=line["image"]).error is None
