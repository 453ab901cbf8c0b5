"""The pages of imports: what a person is told at each step, and what their buttons do."""

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from projects.domain import imports
from tenants.models import AuditEvent
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.archives.zips import coco_zip, photo, yolo_zip, zipped
from tests.projects.importing import announce, checked, labels_of, sent, shown
from tests.projects.uploading import post
from tests.projects.working import Hand

GOOD = coco_zip({"a.png": [("dent", 1.5, 2, 10, 12)], "b.png": [("scratch", 40, 2, 30, 12)], "good.png": []})
# One image that is none; and a label whose image is not there.
FAULTY_FILES: dict[str, bytes | str] = {
    "data.yaml": "names: [dent]",
    "images/a.png": photo("a"),
    "labels/a.txt": "0 0.5 0.5 0.5 0.5",
    "images/broken.png": b"not a picture",
    "labels/broken.txt": "0 0.5 0.5 0.5 0.5",
    "labels/gone.txt": "0 0.5 0.5 0.5 0.5",
}
FAULTY = zipped(FAULTY_FILES)


def text_of(answer: Any) -> str:
    """What the page says, without its tags."""
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode().partition("<main")[2])
    return re.sub(r"\s+", " ", plain).replace("&#x27;", "'")


def page(person: Person, import_id: str, *, status: int = 200) -> str:
    answer = person.web.get(person.page(f"imports/{import_id}"))
    assert answer.status_code == status
    return text_of(answer)


def do(person: Person, import_id: str, verb: str, **said: str) -> Any:
    return person.web.post(person.page(f"imports/{import_id}"), {"do": verb, **said})


def test_an_empty_list_shows_how_to_lay_an_archive_out(alice: Person, project: str) -> None:
    answer = alice.web.get(alice.page(f"projects/{project}/imports"))
    told = text_of(answer)
    assert answer.status_code == 200
    for words in ("annotations.json", "JPEGImages/", "data.yaml", "Drop a zip here"):
        assert words in told
    assert '<details class="panel mt-5" open>' in answer.content.decode()
    assert "Your role looks at imports" not in told


def test_a_viewer_sees_imports_and_no_way_to_start_one(cast: Cast, project: str) -> None:
    import_id = announce(cast.alice, project, GOOD).json()["id"]
    answer = cast.vera.web.get(cast.vera.page(f"projects/{project}/imports"))
    assert "Your role looks at imports" in text_of(answer)
    assert 'id="importer"' not in answer.content.decode()
    assert import_id in answer.content.decode()
    assert "Discard" not in page(cast.vera, import_id)
    for verb in ("check", "commit", "cancel", "discard"):
        assert do(cast.vera, import_id, verb, unknown_classes="SKIP").status_code == 403
    assert shown(cast.alice, import_id)["status"] == "AWAITING"


def test_a_project_without_boxes_says_what_becomes_of_them(alice: Person, project: str) -> None:
    made = post(alice, "projects", {"name": "Odd ones", "kind": "ANOMALY"}).json()["id"]
    theirs, ours = (alice.web.get(alice.page(f"projects/{one}/imports")) for one in (made, project))
    assert "In this project an image has one class" in text_of(theirs)
    assert "In this project an image has one class" not in text_of(ours)
    assert all('id="importer"' in answer.content.decode() for answer in (theirs, ours))


def test_an_archive_that_was_not_sent_says_what_to_do(alice: Person, project: str) -> None:
    told = page(alice, announce(alice, project, GOOD).json()["id"])
    assert "not sent to its end" in told
    assert "Choose the same zip again" in told


def test_while_a_job_works_the_page_looks_again_and_can_stop_it(alice: Person, project: str, hand: Hand) -> None:
    import_id = sent(alice, project, GOOD)
    assert post(alice, f"imports/{import_id}/check", {}).status_code == 202
    address = alice.page(f"imports/{import_id}")
    html = alice.web.get(address).content.decode()
    assert f'hx-get="{address}" hx-trigger="every 1s" hx-select="#standing"' in html
    assert "Waiting for a worker" in page(alice, import_id)
    assert do(alice, import_id, "discard").status_code == 409  # not under a job's hands
    assert do(alice, import_id, "cancel")["Location"] == address
    told = page(alice, import_id)
    assert "The job was canceled before it ended" in told
    assert "hx-get" not in alice.web.get(address).content.decode()
    with tenant_scope(alice.tenant.id):
        assert AuditEvent.objects.filter(action="import.canceled").count() == 1
    do(alice, import_id, "cancel")  # there is nothing to stop any more
    with tenant_scope(alice.tenant.id):
        assert AuditEvent.objects.filter(action="import.canceled").count() == 1
    do(alice, import_id, "check")
    hand.work()
    assert shown(alice, import_id)["status"] == "CHECKED"


def test_the_report_is_told_in_words_with_its_places(alice: Person, project: str, hand: Hand) -> None:
    import_id = checked(alice, project, hand, FAULTY)["id"]
    answer = alice.web.get(alice.page(f"imports/{import_id}"))
    told = text_of(answer)
    assert "2 × Boxes of classes" not in told  # the broken and the missing image's do not count
    for words in (
        *("YOLO", "ready to import", "of 3 in the archive", "1 missing"),
        *("Files that cannot be taken as images", "Left out; their labels, too.", "images/broken.png"),
        *("Images that are labelled and not there", "labels/gone.txt"),
        *("You choose what becomes of them", "Make them", "Leave their boxes out", "Import", "Discard"),
    ):
        assert words in told, words
    # What is left out comes before what does no harm.
    html = answer.content.decode()
    assert html.rindex("text-warning mt-0.5") < (html.find("text-info mt-0.5") if "text-info mt-0.5" in html else 10**9)
    assert labels_of(alice, project) == {}


def test_importing_makes_classes_and_ends_with_what_was_not_taken(alice: Person, project: str, hand: Hand) -> None:
    import_id = checked(alice, project, hand, FAULTY)["id"]
    answer = do(alice, import_id, "commit", unknown_classes="CREATE")
    assert answer["Location"] == alice.page(f"imports/{import_id}")
    assert "Waiting for a worker" in page(alice, import_id)
    assert hand.work() == ["SUCCEEDED"]
    told = page(alice, import_id)
    for words in ("new images 1", "not taken 2", "labelled 1", "box 1", "Added to the label book: dent"):
        assert words in told, told
    assert re.search(r"images/broken.png .{10,} .{10,}gone", told), told
    assert list(labels_of(alice, project)) == ["a.png"]
    results = alice.web.get(alice.page(f"api/imports/{import_id}/results"))
    assert results.status_code == 302
    assert alice.tenant.id.hex in results["Location"].replace("-", "")
    listed = text_of(alice.web.get(alice.page(f"projects/{project}/imports")))
    assert "1 labelled, 1 box, 2 not taken" in listed
    again = do(alice, import_id, "commit", unknown_classes="CREATE")
    assert again.status_code == 409
    assert "was committed" in text_of(again)


def test_unknown_classes_can_be_left_out(alice: Person, project: str, hand: Hand) -> None:
    post(alice, f"projects/{project}/classes", {"name": "dent"})
    import_id = checked(alice, project, hand, GOOD)["id"]
    told = page(alice, import_id)
    assert "1 class is not in your label book" in told
    assert "1 × Boxes that stick out" in told
    do(alice, import_id, "commit", unknown_classes="SKIP")
    hand.work()
    found = labels_of(alice, project)
    assert (found["a.png"], found["b.png"], found["good.png"]) == ([("dent", 1.5, 2.0, 10.0, 12.0)], None, [])


def test_a_labeler_may_import_but_not_make_classes(cast: Cast, project: str, hand: Hand) -> None:
    bob = cast.bob
    import_id = checked(bob, project, hand, GOOD)["id"]
    assert "This takes an engineer" in page(bob, import_id)
    refused = do(bob, import_id, "commit", unknown_classes="CREATE")
    assert refused.status_code == 403
    assert "Making classes changes the label book" in text_of(refused)
    assert do(bob, import_id, "commit", unknown_classes="SKIP").status_code == 302
    assert hand.work() == ["SUCCEEDED"]


@pytest.mark.parametrize("said", [{}, {"unknown_classes": "PERHAPS"}], ids=["default", "nonsense"])
def test_a_commit_says_what_becomes_of_unknown_classes(
    said: dict[str, str], alice: Person, project: str, hand: Hand
) -> None:
    import_id = checked(alice, project, hand, GOOD)["id"]
    answer = do(alice, import_id, "commit", **said)
    assert answer.status_code == (400 if said else 302)
    assert shown(alice, import_id)["unknown_classes"] == ("" if said else "SKIP")


def test_discarding_leads_back_and_leaves_nothing(alice: Person, project: str, hand: Hand) -> None:
    import_id = checked(alice, project, hand, GOOD)["id"]
    client = alice.web
    answer = client.post(alice.page(f"imports/{import_id}"), {"do": "discard"}, follow=True)
    assert answer.redirect_chain[0][0] == alice.page(f"projects/{project}/imports")
    assert "parts.zip is discarded" in text_of(answer)
    assert page(alice, import_id, status=404)
    assert import_id not in client.get(alice.page(f"projects/{project}/imports")).content.decode()


def test_an_archive_that_is_none_says_why_and_can_be_checked_again(alice: Person, project: str, hand: Hand) -> None:
    row = checked(alice, project, hand, b"no zip at all")
    told = page(alice, row["id"])
    assert row["error"]["message"] in told
    assert row["error"]["hint"] in told
    assert "Check again" in told
    assert "Import it?" not in told


def test_names_from_an_archive_are_text(alice: Person, project: str, hand: Hand) -> None:
    data = yolo_zip({"a.png": "0 0.5 0.5 0.5 0.5\n"}, names='names: ["<script>alert(1)</script>"]\n')
    import_id = checked(alice, project, hand, data)["id"]
    html = alice.web.get(alice.page(f"imports/{import_id}")).content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_strangers_and_the_signed_out_see_nothing(cast: Cast, project: str) -> None:
    import_id = announce(cast.alice, project, GOOD).json()["id"]
    for path in (f"imports/{import_id}", f"projects/{project}/imports", f"api/imports/{import_id}/results"):
        assert cast.charlie.web.get(cast.charlie.page(path)).status_code == 404
    for path in (f"imports/{import_id}", f"projects/{project}/imports"):
        assert Client().get(cast.alice.page(path))["Location"].startswith("/sign-in")
    assert do(cast.charlie, import_id, "discard").status_code == 404


def test_the_script_s_door_takes_and_checks(alice: Person, project: str) -> None:
    client = alice.web
    said = {"filename": "parts.zip", "size": 10, "sha256": "0" * 64}
    address = alice.page(f"api/projects/{project}/imports")
    made = client.post(address, said, content_type="application/json")
    assert made.status_code == 201
    assert made.json()["upload"]["fields"]["key"].startswith(f"t/{alice.tenant.id}/incoming/")
    refused = client.post(alice.page(f"api/imports/{made.json()['id']}/check"), content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "archive_not_arrived")


@pytest.mark.parametrize("count", [1, 3])
def test_queries_do_not_grow_with_imports(
    count: int, alice: Person, project: str, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    for number in range(count):
        announce(alice, project, GOOD, filename=f"{number}.zip")
    client = alice.web
    with queries() as sql:
        assert client.get(alice.page(f"projects/{project}/imports")).status_code == 200
    assert len(sql) == 11, "\n".join(sql)
    with tenant_scope(alice.tenant.id):
        row = imports.imports(uuid.UUID(project)).first()
    assert row
    with queries() as sql:
        assert client.get(alice.page(f"imports/{row.id}")).status_code == 200
    assert len(sql) == 10, "\n".join(sql)
