"""Pages of snapshots: frozen, told, compared, and taken home."""

import re
from typing import Any

import pytest

from projects.models import SnapshotExport
from tenants.ids import uuid7
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.labelled import label, labelled, ready, snapshot_of
from tests.projects.labelling import book
from tests.projects.test_lists import Queries
from tests.projects.uploading import post
from tests.projects.web.reading import open_page, text_of
from tests.projects.working import Hand

BOX = ("dent", 1.0, 1.0, 5.0, 5.0)


def words_of(person: Person, path: str) -> str:
    return text_of(open_page(person, path))


def frozen(person: Person, project: str, hand: Hand, note: str = "") -> str:
    made: str = snapshot_of(person, project, note)["id"]
    assert hand.work() == ["SUCCEEDED"]
    return made


@pytest.fixture
def images(alice: Person, project: str) -> list[str]:
    """Two labelled images, one of them a good part."""
    book(alice, project, "dent", "scratch")
    one = labelled(alice, project, "one.jpg", BOX, ("scratch", 10, 10, 5, 5))
    return [one, labelled(alice, project, "two.jpg", split="TEST")]


def test_a_form_freezes_and_the_list_tells_what(alice: Person, project: str, images: list[str], hand: Hand) -> None:
    page, web = alice.page(f"projects/{project}/snapshots"), alice.web
    assert "2 photographs are labelled." in words_of(alice, f"projects/{project}/snapshots")
    answer = web.post(page, {"note": "Night shift"})
    assert (answer.status_code, answer["Location"]) == (302, page)
    building = web.get(page)
    assert "Snapshot 1 is being made." in text_of(building)
    assert "waits for a worker" in text_of(building)
    assert f'hx-get="{page}"' in building.content.decode()

    assert hand.work() == ["SUCCEEDED"]
    done = web.get(page)
    assert "hx-get" not in done.content.decode()
    words = text_of(done)
    assert "Snapshot 1 Night shift Alice" in words
    assert "2 images · 2 boxes · dent 1 , scratch 1" in words
    assert "Train 1" in words
    assert "Test 1" in words
    assert "more" not in words.split("Freeze a snapshot")[1].split("Freeze a snapshot")[0]


def test_without_labels_the_page_leads_to_them_and_a_form_is_refused(alice: Person, project: str) -> None:
    path = f"projects/{project}/snapshots"
    page = open_page(alice, path)
    assert "Nothing is labelled yet" in text_of(page)
    assert f'href="{alice.page(f"projects/{project}/upload")}"' in page.content.decode()
    ready(alice, project, "one.jpg")
    page = open_page(alice, path).content.decode()
    assert f"{alice.page(f'projects/{project}/images')}?labelled=false&amp;status=READY" in page
    refused = alice.web.post(alice.page(path), {"note": "too early"})
    assert refused.status_code == 409
    assert 'value="too early"' in refused.content.decode()
    assert "No image of this project is READY and labelled." in text_of(refused)
    assert alice.web.post(alice.page(path), {"note": "x" * 501}).status_code == 400


def test_what_was_labelled_since_is_told(alice: Person, project: str, images: list[str], hand: Hand) -> None:
    frozen(alice, project, hand)
    labelled(alice, project, "three.jpg", BOX)
    assert "1 image more is labelled than the newest snapshot holds" in words_of(alice, f"projects/{project}/snapshots")


def test_one_that_failed_says_what_helps(alice: Person, project: str, images: list[str]) -> None:
    made = snapshot_of(alice, project)["id"]
    with tenant_scope(alice.tenant.id):
        Job.objects.filter(kind="snapshot").update(state=Job.State.CANCELED)
    for path in (f"projects/{project}/snapshots", f"snapshots/{made}"):
        assert "The job was canceled before the snapshot was made. Create another snapshot." in words_of(alice, path)


def test_a_snapshot_shows_its_classes_and_leads_to_a_run(
    alice: Person, project: str, images: list[str], hand: Hand
) -> None:
    made = snapshot_of(alice, project)["id"]
    waiting = open_page(alice, f"snapshots/{made}")
    assert f'hx-get="{alice.page(f"snapshots/{made}")}"' in waiting.content.decode()
    hand.work()
    page = open_page(alice, f"snapshots/{made}")
    assert "hx-get" not in page.content.decode()
    assert "dent 1 1 scratch 1 1" in text_of(page)
    assert f"{alice.page(f'projects/{project}/runs')}?snapshot={made}" in page.content.decode()
    for name in ("manifest", "coco"):
        path = alice.page(f"api/snapshots/{made}/{name}")
        assert path in page.content.decode()
        assert "X-Amz-Signature" in alice.web.get(path)["Location"]


def test_two_are_compared_in_words_and_numbers(alice: Person, project: str, images: list[str], hand: Hand) -> None:
    before = frozen(alice, project, hand)
    label(alice, images[0], BOX, ("dent", 20, 20, 5, 5), ("scratch", 30, 30, 5, 5))
    three = labelled(alice, project, "three.jpg", BOX)
    book(alice, project, "burr")
    after = frozen(alice, project, hand)

    words = words_of(alice, f"snapshots/{after}?against={before}")
    assert "Images: 1 new, 1 changed." in words
    assert "Boxes: 2 new, 1 changed." in words
    assert "The class burr is new." in words
    assert "1 image is as it was." in words
    assert "changed one.jpg 1 box more, 1 box changed" in words
    assert "new three.jpg 1 box" in words
    assert alice.page(f"images/{three}") in open_page(alice, f"snapshots/{after}?against={before}").content.decode()
    back = words_of(alice, f"snapshots/{before}?against={after}")
    assert "Images: 1 changed, 1 gone." in back
    assert "The class burr is gone." in back
    again = frozen(alice, project, hand)
    assert "Nothing: both hold the same." in words_of(alice, f"snapshots/{again}?against={after}")


def test_what_cannot_be_compared_says_why(
    alice: Person, project: str, images: list[str], hand: Hand, cast: Cast
) -> None:
    made = frozen(alice, project, hand)
    building = snapshot_of(alice, project)["id"]
    refused = words_of(alice, f"snapshots/{made}?against={building}")
    assert "What changed" in refused
    assert "Snapshot 2 has no manifest" in refused
    assert "Wait until it is READY" in refused
    assert alice.web.get(alice.page(f"snapshots/{made}?against={uuid7()}")).status_code == 404
    assert "hx-get" not in open_page(alice, f"snapshots/{made}?against=first").content.decode()


def test_a_snapshot_is_packed_and_taken_home(alice: Person, project: str, images: list[str], hand: Hand) -> None:
    made = frozen(alice, project, hand)
    address = alice.page(f"snapshots/{made}/exports")
    answer = alice.web.post(address, {"format": "YOLO"})
    assert answer["Location"] == alice.page(f"snapshots/{made}#exports")
    part = alice.web.get(address).content.decode()
    assert f'hx-get="{address}"' in part
    assert part.count("<form") == 2  # of the two other formats
    assert f'hx-get="{address}"' in open_page(alice, f"snapshots/{made}").content.decode()

    with tenant_scope(alice.tenant.id):
        export = SnapshotExport.objects.get()
        export.status, export.sha256, export.size = "READY", "0" * 64, 1_234_567
        export.ready_at, export.missing_count = export.created_at, 1
        export.save()
    part = open_page(alice, f"snapshots/{made}/exports")
    assert "hx-get" not in part.content.decode()
    assert "1.2 MB" in text_of(part)
    assert "1 image deleted since is not in it." in text_of(part)
    taken = alice.web.get(alice.page(f"api/exports/{export.id}/file"))
    assert "X-Amz-Signature" in taken["Location"]
    assert alice.web.post(address, {"format": "DOC"}).status_code == 400


def test_a_failed_export_says_why_and_can_be_asked_for_again(
    alice: Person, project: str, images: list[str], hand: Hand
) -> None:
    made = frozen(alice, project, hand)
    alice.web.post(alice.page(f"snapshots/{made}/exports"), {"format": "VOC"})
    error = {"code": "snapshot_reduced", "message": "No image is left.", "hint": "Freeze another one."}
    with tenant_scope(alice.tenant.id):
        Job.objects.filter(kind="snapshot_export").update(state=Job.State.FAILED, error=error)
    part = open_page(alice, f"snapshots/{made}/exports")
    assert "No image is left. Freeze another one." in text_of(part)
    assert part.content.decode().count("<form") == 3


def test_viewers_look_and_freeze_nothing(
    alice: Person, project: str, images: list[str], hand: Hand, cast: Cast
) -> None:
    made = frozen(alice, project, hand)
    listed, one = f"projects/{project}/snapshots", f"snapshots/{made}"
    for person in (cast.vera, cast.bob):
        for path in (listed, one, f"{one}/exports"):
            assert "<form method" not in open_page(person, path).content.decode().split('id="content"')[-1]
        for path, form in ((listed, {}), (f"{one}/exports", {"format": "COCO"})):
            assert person.web.post(alice.page(path), form).status_code == 403
    assert alice.web.post(alice.page(listed), {}).status_code == 302


def test_anothers_are_missing_and_nobody_signs_in_first(
    alice: Person, project: str, images: list[str], hand: Hand, cast: Cast
) -> None:
    made = frozen(alice, project, hand)
    for path in (f"projects/{project}/snapshots", f"snapshots/{made}", f"snapshots/{made}/exports"):
        assert cast.charlie.web.get(cast.charlie.page(path)).status_code == 404
        assert cast.anonymous.get(alice.page(path))["Location"].startswith("/sign-in")
        assert cast.vera.web.get(alice.page(path)).status_code == 200
    for path, form in ((f"projects/{project}/snapshots", {}), (f"snapshots/{made}/exports", {"format": "COCO"})):
        assert cast.charlie.web.post(cast.charlie.page(path), form).status_code == 404
        assert alice.web.post(alice.page(path), form).status_code == 302


def test_pages_ask_few_queries_however_many_snapshots_there_are(
    alice: Person, project: str, images: list[str], hand: Hand, queries: Queries
) -> None:
    def asked(path: str) -> int:
        client: Any = alice.web
        with queries() as sql:
            assert client.get(alice.page(path)).status_code == 200
        assert not any(re.search(r"\b(COUNT|OFFSET)\b", statement, re.IGNORECASE) for statement in sql)
        return len([statement for statement in sql if statement.startswith("SELECT")])

    made = frozen(alice, project, hand)
    post(alice, f"snapshots/{made}/exports", {"format": "COCO"})
    assert hand.work() == ["FAILED"]  # the bytes of these images were never stored
    paths = (f"projects/{project}/snapshots", f"snapshots/{made}", f"snapshots/{made}/exports")
    at_one = {path: asked(path) for path in paths}
    for _ in range(2):
        frozen(alice, project, hand)
    at_three = {path: asked(path) for path in paths}
    assert at_one == at_three
    assert all(count <= 12 for count in at_one.values()), at_one
