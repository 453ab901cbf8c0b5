"""Every kind of bad file, from upload to error: one batch of all of them beside two good ones."""

from dataclasses import dataclass

import pytest

from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.files import File, encoded, photograph, picture
from tests.projects.uploading import ask, bring, complete, send, statuses
from tests.projects.working import Hand, error_of, row, rows
from tests.workers.children import corpus

JPEG = encoded(picture("jpeg", 640, 480))
PNG = encoded(picture("png", 640, 480), "PNG")
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><body>Not found</body></html>"


@dataclass(frozen=True)
class Bad:
    """A file, and the code of the error it must end with."""

    file: File
    code: str


BAD = [
    Bad(File("half.jpg", JPEG[: len(JPEG) // 2]), "truncated"),
    Bad(File("half.png", PNG[: len(PNG) // 2], "image/png"), "truncated"),
    Bad(File("png-named.jpg", PNG), "type_mismatch"),
    Bad(File("deep.png", corpus.png_sixteen_bit(), "image/png"), "sixteen_bit"),
    Bad(File("print.jpg", encoded(picture("print", mode="CMYK"))), "cmyk"),
    Bad(File("moves.png", corpus.several("PNG"), "image/png"), "animated"),
    Bad(File("moves.webp", corpus.several("WEBP"), "image/webp"), "animated"),
    Bad(File("moves.gif", corpus.several("GIF"), "image/png"), "unsupported_type"),
    Bad(File("bomb.png", corpus.png_bomb(50_000, 50_000), "image/png"), "too_many_pixels"),
    Bad(File("bomb.jpg", corpus.jpeg_with_size(50_000, 50_000)), "too_many_pixels"),
    Bad(File("drawing.jpg", SVG), "unsupported_type"),
    Bad(File("page.jpg", HTML), "not_an_image"),
    Bad(File("notes.jpg", b"3 scratches, lot 7\n"), "not_an_image"),
    Bad(File("archive.jpg", corpus.zip_file()), "not_an_image"),
]


def test_each_bad_file_fails_alone_and_says_why(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    good = [photograph("first"), photograph("last")]
    images = bring(alice, project, good[0], *(bad.file for bad in BAD), good[1])

    assert hand.work() == ["SUCCEEDED"]

    failed = images[1:-1]
    found = dict(zip([bad.file.name for bad in BAD], rows(alice, *failed), strict=True))
    assert found == {bad.file.name: ("FAILED", bad.code) for bad in BAD}
    assert rows(alice, images[0], images[-1]) == [("READY", None)] * 2
    job = alice.api.get(f"/api/v1/jobs/{row(alice, images[0]).job_id}").json()
    assert (job["state"], job["result"]) == ("SUCCEEDED", {"ready": 2, "failed": len(BAD)})
    for image, bad in zip(failed, BAD, strict=True):
        body = alice.api.get(f"/api/v1/images/{image}").json()
        assert body["error"]["message"].startswith(bad.file.name)
        assert body["error"]["hint"].endswith(".")
        assert (body["stored_sha256"], body["width"], body["near_hash"]) == ("", None, "")
        assert alice.api.get(f"/api/v1/images/{image}/file").json()["code"] == "image_not_ready"
    # Nothing is half-published: of the bad ones there is no object, under neither name.
    hashes = [bad.file.sha256 for bad in BAD]
    assert storage.sizes("images", names=hashes) == storage.sizes("thumbnails", names=hashes) == {}
    assert storage.sizes("incoming", names=images) == {}
    listed = alice.api.get(f"/api/v1/projects/{project}/images?status=FAILED").json()["results"]
    assert [image["id"] for image in listed] == failed[::-1]


def test_empty_file_is_refused_before_it_is_sent_and_after(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    """S3 takes no other size than announced; should it ever, ingest holds what is there against the row."""
    refused = ask(alice, project, File("zero.jpg", b""))[0]
    assert (refused["status"], refused["error"]["code"]) == ("REJECTED", "empty_file")
    lines = ask(alice, project, *(photograph(seed) for seed in ("empty", "shrunk", "swapped")))
    swapped = photograph("swapped").data
    for line, data in zip(lines, (b"", photograph("shrunk").data[:-1], swapped[:-9] + bytes(9)), strict=True):
        storage.put(f"incoming/{line['image']}", data, content_type="image/jpeg")
    images = [line["image"] for line in lines]
    assert statuses(complete(alice, project, *images)) == ["ARRIVED"] * 3

    hand.work()

    assert [code for _, code in rows(alice, *images)] == ["empty_file", "size_mismatch", "hash_mismatch"]


def test_bytes_that_vanished_fail_alone(alice: Person, project: str, hand: Hand, storage: TenantStorage) -> None:
    images = bring(alice, project, photograph("kept"), photograph("lost"))
    storage.delete([f"incoming/{images[1]}"])

    hand.work()

    assert rows(alice, *images) == [("READY", None), ("FAILED", "missing")]
    assert error_of(alice, images[1])["message"].startswith("lost.jpg")


@pytest.mark.parametrize("correct", ["image/png", "image/jpeg"])
def test_hint_can_be_followed(alice: Person, project: str, hand: Hand, correct: str) -> None:
    """Told that a file is a PNG, its owner says so and sends it again; who insists gets the same answer."""
    image = bring(alice, project, File("photo.jpg", PNG))[0]
    hand.work()
    error = error_of(alice, image)
    assert (error["code"], error["hint"]) == ("type_mismatch", "Rename it to .png, or declare image/png.")

    line = ask(alice, project, File("photo.png", PNG, correct))[0]
    assert (line["image"], line["status"], line["duplicate"]) == (image, "AWAITING", False)
    assert send(line["upload"], PNG).status_code == 204
    complete(alice, project, image)
    assert hand.work() == ["SUCCEEDED"]

    assert rows(alice, image) == [("READY", None) if correct == "image/png" else ("FAILED", "type_mismatch")]
