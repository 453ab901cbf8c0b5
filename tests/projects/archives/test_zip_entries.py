"""Zips that are no plain zips: refused as a whole, or entry by entry."""

import io
import zipfile

import pytest

from projects.domain.archives.contents import ArchiveRefused, Kind, Problems
from projects.domain.archives.zip_entries import Entries, EntryUnreadable, safe_path
from tests.projects.archives import hostile
from tests.projects.archives.zips import coco_zip, drawn, photo, read, told, yolo_zip, zipped


@pytest.mark.parametrize("name", sorted(hostile.REFUSED))
def test_an_archive_that_is_refused_says_why(name: str) -> None:
    make, code = hostile.REFUSED[name]
    with pytest.raises(ArchiveRefused) as caught:
        read(make())
    assert caught.value.error["code"] == code
    assert caught.value.error["message"]
    assert caught.value.error["hint"]


def test_names_that_lead_elsewhere_are_left_out_and_told() -> None:
    images, summary = read(hostile.slipping())
    assert list(images) == ["images/train/a.png"]
    assert told(summary) == {"unsafe_name": len(hostile.NAMES)}
    assert [place.file for place in summary.problems.kinds[Kind.UNSAFE_NAME].references] == hostile.NAMES


@pytest.mark.parametrize(
    ("name", "path"),
    [("a/b.png", "a/b.png"), ("./a//b.png", "a/b.png"), ("a\\b.png", "a/b.png"), ("a..b/..c.png", "a..b/..c.png")],
    ids=["plain", "dots", "windows", "harmless"],
)
def test_names_that_are_only_odd(name: str, path: str) -> None:
    assert safe_path(name) == path


@pytest.mark.parametrize("name", ["", "/", "..", "a/..", "a\x00.png", "x" * 1001], ids=ascii)
def test_names_that_are_none(name: str) -> None:
    assert safe_path(name) is None


def test_links_archives_and_litter() -> None:
    images, summary = read(hostile.with_links())
    assert list(images) == ["images/a.png"]
    assert told(summary) == {"unsupported_member": 2}
    more = {"inner.zip": hostile.GOOD, "run.exe": "MZ", "__MACOSX/._a.png": "x", ".DS_Store": "x", "README.md": "x"}
    images, summary = read(coco_zip({"a.png": []}, more=more))
    assert list(images) == ["images/a.png"]
    found = {place.file: place.detail for place in summary.problems.kinds[Kind.UNSUPPORTED_MEMBER].references}
    assert found == {"inner.zip": "an archive in the archive", "run.exe": ""}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_entries_of_one_name_the_first_is_read() -> None:
    files = [("data.yaml", "names: [dent]"), ("images/a.png", photo("1")), ("images/a.png", photo("2"))]
    images, summary = read(zipped([*files, ("images//a.png", photo("3")), ("labels/a.txt", "")]))
    assert images["images/a.png"].size == len(photo("1"))
    assert told(summary) == {"duplicate_entry": 2}


def test_a_wrong_checksum_costs_the_entry_not_the_archive() -> None:
    images, summary = read(hostile.wrong_checksum())
    image = images["images/a.png"]
    assert image.trouble is not None
    assert (image.trouble[0], image.entry, image.sha256) == ("unreadable_entry", None, "")
    assert told(summary) == {"unreadable_image": 1}


def test_files_that_are_no_images_are_told_with_the_reason() -> None:
    more = {"images/train/b.png": "hello", "images/train/c.jpg": photo("c")[:-20], "images/train/d.png": b""}
    more |= {"images/train/e.jpg": photo("e", "PNG")}  # type: ignore[dict-item]  # bytes and texts
    images, summary = read(yolo_zip({"a.png": ""}, more=more))
    troubles = {path[-5:]: image.trouble[0] for path, image in images.items() if image.trouble}
    assert troubles == {"b.png": "not_an_image", "c.jpg": "truncated", "d.png": "empty_file"}
    assert images["images/train/e.jpg"].content_type == "image/png", "what a file is decides, not what it is called"
    assert told(summary) == {"unreadable_image": 3}


def test_a_picture_with_a_zip_behind_it_is_a_picture() -> None:
    images, _ = read(yolo_zip({"a.png": ""}, more={"images/train/b.jpg": hostile.polyglot()}))
    assert (images["images/train/b.jpg"].trouble, images["images/train/b.jpg"].content_type) == (None, "image/jpeg")


def test_names_that_are_not_utf8_are_read_as_zip_says() -> None:
    data = yolo_zip({"a.png": ""}, more={"images/train/caf_.png": photo("b")}).replace(b"caf_", b"caf\x82")
    images, _ = read(data)
    assert "images/train/café.png" in images


def test_other_ways_to_pack_and_entries_that_are_too_large() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("images/a.png", photo("a"))
        archive.writestr(zipfile.ZipInfo("x.txt"), "12345")
    entries = Entries(buffer, Problems())
    with pytest.raises(EntryUnreadable, match="packed by a method"):
        entries.read(entries.images["images/a.png"])
    assert entries.read(entries.texts["x.txt"], max_bytes=5) == b"12345"
    with pytest.raises(EntryUnreadable, match="5 bytes unpacked; at most 4"):
        entries.read(entries.texts["x.txt"], max_bytes=4)
    with pytest.raises(EntryUnreadable, match="not in the archive"):
        entries.read_number(2, max_bytes=5)


def test_an_entry_that_unpacks_to_more_than_it_says_is_damaged() -> None:
    data = bytearray(zipped({"images/a.png": photo("a"), "data.yaml": "names: [d]", "labels/a.txt": ""}))
    for header, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(header) + place
        data[at : at + 4] = (10).to_bytes(4, "little")
    images, summary = read(bytes(data))
    assert images["images/a.png"].trouble is not None
    assert told(summary) == {"unreadable_image": 1}


def test_a_good_archive_is_read() -> None:
    """So that the refusals above are about what is wrong with them."""
    images, summary = read(hostile.GOOD)
    assert drawn(images["images/a.png"]) == [(0, 1.0, 2.0, 3.0, 4.0)]
    assert told(summary) == {}
