"""Ingest from the form to the thumbnail: what is published, under which names, and how it looks."""

import hashlib
import io
from typing import Any

import httpx
from PIL import Image as Picture

from projects.domain.images import image_key, thumbnail_key
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.files import TYPES, File, encoded, photograph, picture
from tests.projects.uploading import bring
from tests.projects.working import Hand, row, rows
from tests.workers.children.corpus import GPS_MARK, exif


def shown(person: Person, image: str) -> dict[str, Any]:
    body: dict[str, Any] = person.api.get(f"/api/v1/images/{image}").json()
    return body


def fetched(person: Person, image: str, which: str = "file") -> httpx.Response:
    """What a browser gets that follows the redirect to the image's file or thumbnail."""
    redirect = person.api.get(f"/api/v1/images/{image}/{which}")
    assert redirect.status_code == 302, redirect.content
    return httpx.get(redirect.headers["Location"])


def opened(answer: httpx.Response) -> Picture.Image:
    return Picture.open(io.BytesIO(answer.content))


def test_each_format_becomes_ready_under_the_hash_of_its_bytes(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    files = [photograph(form.lower(), form) for form in ("JPEG", "PNG", "BMP", "TIFF", "WEBP")]
    images = bring(alice, project, *files, metadata={"camera": "3"})

    assert hand.work() == ["SUCCEEDED"]

    job = alice.api.get(f"/api/v1/jobs/{row(alice, images[0]).job_id}").json()
    assert job["result"] == {"ready": 5, "failed": 0}
    assert (job["progress"]["done"], job["progress"]["total"]) == (5, 5)
    for image, file in zip(images, files, strict=True):
        body, stored, thumbnail = shown(alice, image), fetched(alice, image), fetched(alice, image, "thumbnail")
        assert (body["status"], body["error"], body["sha256"]) == ("READY", None, file.sha256)
        assert (body["width"], body["height"], body["content_type"]) == (48, 36, file.content_type)
        assert body["stored_sha256"] == hashlib.sha256(stored.content).hexdigest() != file.sha256
        assert int(body["near_hash"], 16) > 0
        assert body["metadata"] == {"camera": "3"}
        kept_as = "image/jpeg" if file.content_type == "image/jpeg" else "image/png"
        assert (stored.status_code, stored.headers["Content-Type"]) == (200, kept_as)
        assert opened(stored).size == (48, 36)
        assert (thumbnail.headers["Content-Type"], opened(thumbnail).format) == ("image/webp", "WEBP")
        assert row(alice, image).thumbnail_sha256 == hashlib.sha256(thumbnail.content).hexdigest()
    hashes = [row(alice, image) for image in images]
    assert len(storage.sizes("images", names=[found.stored_sha256 for found in hashes])) == 5
    assert len(storage.sizes("thumbnails", names=[found.thumbnail_sha256 for found in hashes])) == 5
    assert storage.sizes("incoming", names=images) == {}


def test_picture_is_turned_upright_and_stripped(alice: Person, project: str, hand: Hand) -> None:
    """A camera mounted sideways writes orientation 6; its position and serial number are nobody's business."""
    data = exif(6, gps=True)
    file = File("sideways.jpg", encoded(picture("sideways", 64, 48), quality=95, exif=data), "image/jpeg")
    assert GPS_MARK in file.data
    image = bring(alice, project, file)[0]

    hand.work()

    body, stored = shown(alice, image), fetched(alice, image)
    upright = opened(stored)
    expected = picture("sideways", 64, 48).transpose(Picture.Transpose.ROTATE_270)
    assert (body["width"], body["height"]) == upright.size == expected.size == (48, 64)
    assert GPS_MARK not in stored.content
    assert not upright.getexif()
    for corner in ((2, 2), (45, 2), (2, 61), (45, 61)):
        differences = zip(upright.getpixel(corner), expected.getpixel(corner), strict=True)  # type: ignore[arg-type]
        assert all(abs(ours - theirs) < 25 for ours, theirs in differences), corner
    thumbnail = opened(fetched(alice, image, "thumbnail"))
    assert thumbnail.size == (48, 64)
    assert not thumbnail.getexif()


def test_thumbnail_of_a_large_picture_fits_its_frame(alice: Person, project: str, hand: Hand) -> None:
    image = bring(alice, project, File("wide.jpg", encoded(picture("wide", 1600, 400))))[0]

    hand.work()

    assert opened(fetched(alice, image, "thumbnail")).size == (320, 80)
    assert opened(fetched(alice, image)).size == (1600, 400)


def test_grey_stays_grey(alice: Person, project: str, hand: Hand) -> None:
    grey = picture("grey", mode="L")
    images = bring(
        alice, project, *(File(f"grey.{form}", encoded(grey, form), TYPES[form]) for form in ("JPEG", "PNG"))
    )

    hand.work()

    assert [opened(fetched(alice, image)).mode for image in images] == ["L", "L"]


def test_same_picture_in_another_file_is_a_duplicate(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    """Other bytes, other hash, the same pixels: found only when it is decoded, in its batch or long after."""
    drawn = picture("twin")
    png, bitmap, tiff = (
        File(f"twin.{form.lower()}", encoded(drawn, form), f"image/{form.lower()}") for form in ("PNG", "BMP", "TIFF")
    )
    first, second = bring(alice, project, png, bitmap)
    hand.work()
    third = bring(alice, project, tiff)[0]
    hand.work()

    assert rows(alice, first, second, third) == [("READY", None), *[("FAILED", "duplicate_content")] * 2]
    error = shown(alice, third)["error"]
    assert error["message"] == "twin.tiff shows the same picture as twin.png, in another file."
    assert (error["image"], bool(error["hint"])) == (first, True)
    assert fetched(alice, first).status_code == 200
    assert storage.sizes("incoming", names=[first, second, third]) == {}
    assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 3


def test_deleted_twin_makes_room(alice: Person, project: str, hand: Hand) -> None:
    first = bring(alice, project, photograph("part", "PNG"))[0]
    hand.work()
    alice.api.delete(f"/api/v1/images/{first}")

    again = bring(alice, project, photograph("part", "PNG"))[0]
    hand.work()

    assert again != first
    assert rows(alice, again) == [("READY", None)]
    assert fetched(alice, again).status_code == 200


def test_keys_are_relative_to_the_tenant_and_name_the_bytes() -> None:
    assert image_key("ab" * 32) == f"images/{'ab' * 32}"
    assert thumbnail_key("cd" * 32) == f"thumbnails/{'cd' * 32}"
