"""Files that are a picture and something else at once: what is kept and served is the picture, or nothing."""

import itertools
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.cast import Person
from tests.projects.files import File, encoded, picture
from tests.projects.labelled import labelled, snapshot_of
from tests.projects.labelling import book
from tests.projects.test_direct_door import carry
from tests.projects.uploading import bring
from tests.projects.working import Hand, rows
from tests.workers.children import corpus

SCRIPT = b"<html><script>alert(document.domain)</script></html>"
_numbers = itertools.count()


def fresh(form: str = "JPEG", **options: Any) -> bytes:
    """A good file with a picture of its own: two files of one picture would be duplicates once sanitised."""
    return encoded(picture(f"polyglot {next(_numbers)}"), form, **options)


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """A JPEG whose first segment holds `content`."""
    jpeg = fresh()
    return jpeg[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG with another chunk before its end."""
    png = fresh("PNG")
    chunk = len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
    return png[:-12] + chunk + png[-12:]


def webp_chunk(kind: bytes, content: bytes) -> bytes:
    """A WebP with another chunk at its end, counted in its header."""
    webp = fresh("WEBP", lossless=True)
    body = webp[8:] + kind + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@dataclass(frozen=True)
class Double:
    """A file, and what of its other nature must not be kept."""

    file: File
    other: bytes


TAKEN = [
    Double(File("jpeg-zip.jpg", fresh() + corpus.zip_file()), b"PK\x03\x04"),
    Double(File("zip-in-comment.jpg", jpeg_segment(0xFE, corpus.zip_file())), b"PK\x03\x04"),
    Double(File("html-in-exif.jpg", jpeg_segment(0xE1, b"Exif\x00\x00" + SCRIPT)), b"<script"),
    Double(File("html-in-comment.jpg", jpeg_segment(0xFE, SCRIPT)), b"<script"),
    Double(File("js-after.jpg", fresh() + b"*/=alert(1)//"), b"alert(1)"),
    Double(File("png-html.png", fresh("PNG") + SCRIPT, "image/png"), b"<script"),
    Double(File("text.png", png_chunk(b"tEXt", b"Comment\x00" + SCRIPT), "image/png"), b"<script"),
    Double(File("profile.png", png_chunk(b"iTXt", b"XML\x00\x00\x00\x00\x00" + SCRIPT), "image/png"), b"<script"),
    Double(File("bmp-html.bmp", fresh("BMP") + SCRIPT, "image/bmp"), b"<script"),
    Double(File("xmp.webp", webp_chunk(b"XMP ", SCRIPT), "image/webp"), b"<script"),
]
REFUSED = [
    Double(File("gif-js.png", b"GIF89a/*" + corpus.several("GIF")[8:] + b"*/=alert(1)//", "image/png"), b"alert(1)"),
    Double(File("zip-jpeg.jpg", corpus.zip_file() + fresh()), b"PK\x03\x04"),
    Double(File("html-jpeg.jpg", SCRIPT + fresh()), b"<script"),
    Double(File("pdf-jpeg.jpg", b"%PDF-1.7\n" + fresh()), b"%PDF"),
    Double(File("script.jpg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'), b"<script"),
    Double(File("external.jpg", b'<!DOCTYPE svg SYSTEM "file:///etc/passwd"><svg/>'), b"passwd"),
]


def test_the_other_nature_is_not_kept(alice: Person, project: str, hand: Hand) -> None:
    images = bring(alice, project, *(double.file for double in TAKEN))
    hand.work()
    found = dict(zip([double.file.name for double in TAKEN], rows(alice, *images), strict=True))
    assert found == {double.file.name: ("READY", None) for double in TAKEN}
    for image, double in zip(images, TAKEN, strict=True):
        assert double.other in double.file.data
        for which in ("file", "thumbnail"):
            served = httpx.get(alice.api.get(f"/api/v1/images/{image}/{which}").headers["Location"])
            assert double.other not in served.content, double.file.name
            kept = "image/jpeg" if double.file.content_type == "image/jpeg" else "image/png"
            expected = kept if which == "file" else "image/webp"
            assert (served.headers["Content-Type"], served.headers["Content-Disposition"]) == (expected, "inline")


def test_what_is_no_picture_first_of_all_is_not_taken(alice: Person, project: str, hand: Hand) -> None:
    images = bring(alice, project, *(double.file for double in REFUSED))
    hand.work()
    assert [status for status, _ in rows(alice, *images)] == ["FAILED"] * len(REFUSED)
    for image in images:
        assert alice.api.get(f"/api/v1/images/{image}/file").json()["code"] == "image_not_ready"


@pytest.mark.parametrize("declared", ["text/html", "image/svg+xml", "application/javascript", "text/html, image/png"])
def test_no_type_that_a_browser_runs_passes_the_direct_door(alice: Person, project: str, declared: str) -> None:
    answer = carry(alice, project, File("page.html", SCRIPT, declared))
    assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_type")
    assert (answer.headers["Content-Type"], answer.headers["X-Content-Type-Options"]) == (
        "application/problem+json",
        "nosniff",
    )
    assert carry(alice, project, File("page.html", fresh("PNG"), "image/png")).status_code == 202


def test_an_address_shows_its_object_as_what_it_is_only(alice: Person, project: str, hand: Hand) -> None:
    """Type and disposition are signed with it; and what is no picture is saved, not shown."""
    image = bring(alice, project, File("part.jpg", fresh()))[0]
    hand.work()
    address = alice.api.get(f"/api/v1/images/{image}/file").headers["Location"]
    assert httpx.get(address).status_code == 200
    for there, instead in (("image%2Fjpeg", "text%2Fhtml"), ("disposition=inline", "disposition=attachment")):
        assert there in urlsplit(address).query
        assert httpx.get(address.replace(there, instead)).status_code == 403


def test_manifests_are_saved_not_shown(alice: Person, project: str, hand: Hand) -> None:
    book(alice, project, "dent")
    labelled(alice, project, "part.png", ("dent", 1.0, 2.0, 3.0, 4.0))
    snapshot = snapshot_of(alice, project)
    hand.work()
    for which in ("manifest", "coco"):
        served = httpx.get(alice.api.get(f"/api/v1/snapshots/{snapshot['id']}/{which}").headers["Location"])
        assert served.headers["Content-Disposition"] == "attachment"
        assert served.headers["Content-Type"] == "application/json"
