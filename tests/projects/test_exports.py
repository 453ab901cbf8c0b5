"""Exports of a snapshot: what is in the three zips, who gets the same one again, and what cannot be exported."""

import io
import json
import zipfile
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import yaml
from defusedxml.ElementTree import fromstring

from projects.domain import exporting
from projects.domain.images import image_key
from projects.models import Image
from tenants.models import AuditEvent, Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Cast, Person
from tests.projects.exporting import asked, export_row, exported, fetched, manifest_of, ready, shown, unpacked
from tests.projects.files import photograph
from tests.projects.labelled import labelled, snapshot_of
from tests.projects.labelling import book
from tests.projects.uploading import post
from tests.projects.working import Hand, jobs_of

FORMATS = pytest.mark.parametrize("form", ["COCO", "VOC", "YOLO"])
A, B = photograph("a"), photograph("b", "PNG")


@pytest.fixture
def snapshot(alice: Person, project: str, hand: Hand) -> dict[str, Any]:
    """Of two training images: `a.jpg` with one dent, `b.png` without any."""
    book(alice, project, "dent", "scratch")
    made, _ = ready(alice, project, hand, (A, [("dent", 1, 2, 12.5, 9)]), (B, []), split="TRAIN")
    return made


def test_coco_has_boxes_as_they_are_and_images_as_they_are_stored(
    alice: Person, snapshot: dict[str, Any], hand: Hand, storage: TenantStorage
) -> None:
    files = unpacked(exported(alice, snapshot, hand, "COCO"))
    assert list(files) == ["myriad.json", "annotations.json", "images/a.jpg", "images/b.png"]
    document = json.loads(files["annotations.json"])

    assert [(image["file_name"], image["split"]) for image in document["images"]] == [
        ("a.jpg", "TRAIN"),
        ("b.png", "TRAIN"),
    ]
    assert [label["name"] for label in document["categories"]] == ["dent", "scratch"]
    assert [(box["image_id"], box["category_id"], box["bbox"]) for box in document["annotations"]] == [
        (1, 1, [1, 2, 12.5, 9])
    ]
    for name, image in zip(("a.jpg", "b.png"), manifest_of(alice, snapshot).images, strict=True):
        assert files[f"images/{name}"] == storage.read(image_key(image.sha256), max_bytes=10**6)


def test_voc_counts_corners_from_one(alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    files = unpacked(exported(alice, snapshot, hand, "VOC"))
    page = fromstring(files["Annotations/a.xml"])

    assert {side.tag: side.text for side in page.find("object/bndbox") or ()} == {
        "xmin": "2",
        "ymin": "3",
        "xmax": "13.5",
        "ymax": "11",
    }
    assert (page.findtext("filename"), page.findtext("object/name")) == ("a.jpg", "dent")
    assert (page.findtext("size/width"), page.findtext("size/height")) == ("48", "36")
    assert fromstring(files["Annotations/b.xml"]).find("object") is None
    assert files["ImageSets/Main/train.txt"] == b"a\nb\n"
    assert files["ImageSets/Main/val.txt"] == files["ImageSets/Main/test.txt"] == b""
    assert {"JPEGImages/a.jpg", "JPEGImages/b.png"} < set(files)


def test_yolo_has_fractions_and_an_empty_file_for_a_good_image(
    alice: Person, snapshot: dict[str, Any], hand: Hand
) -> None:
    files = unpacked(exported(alice, snapshot, hand, "YOLO"))
    data = yaml.safe_load(files["data.yaml"])
    number, *sides = files["labels/train/a.txt"].decode().split()

    assert (data["nc"], data["names"], data["train"]) == (2, {0: "dent", 1: "scratch"}, "images/train")
    assert (number, [float(side) for side in sides]) == ("0", [7.25 / 48, 6.5 / 36, 12.5 / 48, 9 / 36])
    assert files["labels/train/b.txt"] == b""
    assert {"images/train/a.jpg", "images/train/b.png"} < set(files)


@FORMATS
def test_zip_has_no_dates_and_packs_no_image_twice(
    alice: Person, snapshot: dict[str, Any], hand: Hand, form: str
) -> None:
    with zipfile.ZipFile(io.BytesIO(exported(alice, snapshot, hand, form))) as archive:
        infos = archive.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    images = {info.compress_type for info in infos if info.filename.endswith((".jpg", ".png"))}
    assert images == {zipfile.ZIP_STORED}


def test_the_same_export_is_answered_again(alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    export = asked(alice, snapshot)
    assert asked(alice, snapshot)["id"] == export["id"]
    hand.work()
    again = post(alice, f"snapshots/{snapshot['id']}/exports", {"format": "COCO"})
    other = asked(alice, snapshot, "YOLO")

    assert (again.status_code, again.json()) == (200, shown(alice, export))
    assert other["id"] != export["id"]
    listed = alice.api.get(f"/api/v1/snapshots/{snapshot['id']}/exports").json()["results"]
    assert [(line["id"], line["status"]) for line in listed] == [(other["id"], "BUILDING"), (export["id"], "READY")]
    with tenant_scope(alice.tenant.id):
        assert AuditEvent.objects.filter(action="snapshot.exported").count() == 2


def test_a_browser_saves_it_under_a_name(alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    export = asked(alice, snapshot, "VOC")
    hand.work()
    address = alice.api.get(f"/api/v1/exports/{export['id']}/file")["Location"]
    said = httpx.get(address).headers["Content-Disposition"]

    assert unquote(said) == "attachment; filename*=UTF-8''Casings-1-voc.zip"


def test_an_export_is_of_the_snapshot_not_of_what_is_labelled_now(
    alice: Person, project: str, snapshot: dict[str, Any], hand: Hand
) -> None:
    labelled(alice, project, "c.png", ("dent", 5, 5, 5, 5))
    assert "images/c.png" not in unpacked(exported(alice, snapshot, hand))


def test_deleted_images_are_left_out_and_counted(
    alice: Person, project: str, snapshot: dict[str, Any], hand: Hand
) -> None:
    before = asked(alice, snapshot)
    hand.work()
    with tenant_scope(alice.tenant.id):
        image = Image.objects.get(filename="b.png")
    assert alice.api.delete(f"/api/v1/images/{image.id}").status_code == 204
    after = asked(alice, snapshot)
    hand.work()
    files = unpacked(fetched(alice, after))

    assert export_row(alice, before).status == "EXPIRED"
    assert alice.api.get(f"/api/v1/exports/{before['id']}/file").json()["code"] == "export_not_ready"
    assert list(files) == ["myriad.json", "annotations.json", "images/a.jpg"]
    now = shown(alice, after)
    assert (now["image_count"], now["missing_count"]) == (1, 1)
    assert post(alice, f"snapshots/{snapshot['id']}/exports", {"format": "COCO"}).status_code == 200


def test_nothing_is_left_to_export(alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    with tenant_scope(alice.tenant.id):
        images = list(Image.objects.values_list("id", flat=True))
    for image in images:
        alice.api.delete(f"/api/v1/images/{image}")
    export = asked(alice, snapshot)
    assert hand.work() == ["FAILED"]

    now = shown(alice, export)
    assert (now["status"], now["error"]["code"]) == ("FAILED", "nothing_left")
    assert jobs_of(alice)[-1].error == now["error"]
    assert asked(alice, snapshot)["id"] != export["id"]


def test_a_damaged_image_fails_the_export(
    alice: Person, snapshot: dict[str, Any], hand: Hand, storage: TenantStorage
) -> None:
    image = manifest_of(alice, snapshot).images[1]
    storage.put(image_key(image.sha256), b"other bytes", content_type="image/png")
    export = asked(alice, snapshot)
    assert hand.work() == ["FAILED"]

    error = shown(alice, export)["error"]
    assert (error["code"], "b.png" in error["message"]) == ("image_damaged", True)


def test_more_than_fits_is_refused(
    alice: Person, snapshot: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MAX_EXPORT_BYTES", 100)
    export = asked(alice, snapshot)
    assert hand.work() == ["FAILED"]
    assert shown(alice, export)["error"]["code"] == "export_too_large"


def test_a_canceled_export_is_failed_and_may_be_asked_for_again(
    alice: Person, snapshot: dict[str, Any], hand: Hand
) -> None:
    export = asked(alice, snapshot)
    assert post(alice, f"jobs/{export['job']}/cancel", {}).status_code in (200, 202)
    now = shown(alice, export)
    again = asked(alice, snapshot)

    assert (now["status"], now["error"]["code"]) == ("FAILED", "export_canceled")
    assert again["id"] != export["id"]
    assert export_row(alice, export).status == "FAILED"
    hand.work()
    assert fetched(alice, again)


def test_a_snapshot_without_files_is_refused(alice: Person, project: str, snapshot: dict[str, Any]) -> None:
    building = snapshot_of(alice, project)
    answer = post(alice, f"snapshots/{building['id']}/exports", {"format": "COCO"})
    unknown = post(alice, f"snapshots/{snapshot['id']}/exports", {"format": "CSV"})

    assert (answer.status_code, answer.json()["code"]) == (409, "snapshot_not_ready")
    assert unknown.status_code == 400


def test_who_may_ask_and_who_may_fetch(cast: Cast, alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    path = f"snapshots/{snapshot['id']}/exports"
    assert post(cast.bob, path, {"format": "COCO"}).status_code == 403
    export = asked(alice, snapshot)
    assert cast.bob.api.get(f"/api/v1/exports/{export['id']}/file").status_code == 409
    hand.work()

    assert fetched(cast.bob, export)
    assert post(cast.charlie, path, {"format": "COCO"}).status_code == 404
    assert cast.charlie.api.get(f"/api/v1/exports/{export['id']}/file").status_code == 404


def test_list_asks_the_same_number_of_queries(
    alice: Person, snapshot: dict[str, Any], hand: Hand, queries: Any
) -> None:
    counts = []
    for form in ("COCO", "VOC", "YOLO"):
        asked(alice, snapshot, form)
        with queries() as sql:
            listed = alice.api.get(f"/api/v1/snapshots/{snapshot['id']}/exports").json()["results"]
        counts.append((len(listed), len(sql)))
    assert [count for count, _ in counts] == [1, 2, 3]
    assert len({asked for _, asked in counts}) == 1


def test_job_tells_what_it_made(alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    export = asked(alice, snapshot)
    hand.work()
    with tenant_scope(alice.tenant.id):
        job = Job.objects.get(id=export["job"])

    assert (job.progress["done"], job.progress["total"]) == (2, 2)
    assert job.result == {"export": export["id"], "images": 2, "missing": 0}
