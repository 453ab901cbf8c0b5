"""Imports from announcement to results, in the three formats."""

import pytest

from projects.domain import imports
from projects.models import DefectClass, Image, ImportChunk
from tenants.models import AuditEvent
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Cast, Person
from tests.projects.archives.zips import coco_zip, photo, voc_zip, yolo_zip, zipped
from tests.projects.files import File
from tests.projects.importing import (
    announce,
    checked,
    committed,
    labels_of,
    problems,
    references,
    results,
    sent,
    shown,
    stored,
)
from tests.projects.uploading import bring, post, usage
from tests.projects.working import Hand

BOX = ("dent", 1.5, 2.0, 10.25, 12.0)
EXPECTED = {"a.png": [BOX], "good.png": []}
ARCHIVES = {
    "COCO": coco_zip({"a.png": [BOX], "good.png": []}),
    "VOC": voc_zip({"a.png": [("dent", 2.5, 3, 11.75, 14)], "good.png": []}),
    "YOLO": yolo_zip({"a.png": f"0 {6.625 / 48} {8 / 36} {10.25 / 48} {12 / 36}\n", "good.png": ""}),
}


@pytest.mark.parametrize("form", sorted(ARCHIVES))
def test_each_format_comes_in_whole(alice: Person, project: str, hand: Hand, storage: TenantStorage, form: str) -> None:
    data = ARCHIVES[form]
    row = checked(alice, project, hand, data)
    assert (row["status"], row["format"], row["error"], row["result"]) == ("CHECKED", form, None, None)
    told = ("images", "new", "existing", "missing", "labelled", "good", "unlabelled", "boxes")
    assert [row["report"][name] for name in told] == [2, 2, 0, 0, 2, 1, 0, 1]
    assert {"name": "dent", "boxes": 1, "known": False} in row["report"]["classes"]
    assert problems(row)["unknown_class"] == 1
    assert labels_of(alice, project) == {}, "a check writes nothing"
    assert usage(alice)["images"] == 0

    answer = post(alice, f"imports/{row['id']}/commit", {"unknown_classes": "CREATE"})
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert answer["Location"] == f"/api/v1/jobs/{job}"
    assert hand.work() == ["SUCCEEDED"]

    done = shown(alice, row["id"])
    assert (done["status"], done["error"]) == ("DONE", None)
    counted = {"images": {"CREATED": 2}, "labelled": 2, "boxes": 1, "errors": 0, "classes": ["dent"]}
    assert done["result"] == counted
    assert labels_of(alice, project) == EXPECTED
    lines = results(alice, row["id"])
    assert {line["outcome"] for line in lines.values()} == {"CREATED"}
    assert sorted(line["boxes"] for line in lines.values()) == [0, 1]
    assert all(line["labelled"] and line["image"] and not line["warnings"] for line in lines.values())
    assert storage.sizes("incoming", names=[f"import-{row['id']}"]) == {}
    progress = alice.api.get(f"/api/v1/jobs/{job}").json()["progress"]
    assert (progress["done"], progress["total"], progress["message"]) == (2, 2, "importing")
    with tenant_scope(alice.tenant.id):
        assert not ImportChunk.objects.exists()
        assert AuditEvent.objects.get(action="import.committed").detail == {"images": 2, "boxes": 1}
        dent = DefectClass.objects.get(name="dent")
        assert (dent.image_count, dent.box_count) == (1, 1)
    assert usage(alice)["images"] == 2


def test_the_same_archive_again_changes_nothing(alice: Person, project: str, hand: Hand) -> None:
    data = ARCHIVES["COCO"]
    committed(alice, project, hand, data)
    used = usage(alice)
    again = checked(alice, project, hand, data)
    assert problems(again) == {"existing_image": 2}
    assert (again["report"]["new"], again["report"]["existing"]) == (0, 2)
    done = committed(alice, project, hand, data)
    assert done["result"]["images"] == {"UNCHANGED": 2}
    assert labels_of(alice, project) == EXPECTED
    assert usage(alice) == used


def test_boxes_that_differ_become_a_new_version_of_an_image_that_is_there(
    alice: Person, project: str, hand: Hand
) -> None:
    committed(alice, project, hand, ARCHIVES["COCO"])
    corrected = coco_zip({"a.png": [("scratch", 3, 4, 5, 6)], "good.png": []})
    row = checked(alice, project, hand, corrected)
    assert problems(row) == {"existing_image": 2, "existing_differs": 1, "unknown_class": 1}
    assert references(row, "existing_differs") == [("images/a.png", "")]
    done = committed(alice, project, hand, corrected)
    assert done["result"]["images"] == {"UNCHANGED": 1, "UPDATED": 1}
    assert labels_of(alice, project)["a.png"] == [("scratch", 3.0, 4.0, 5.0, 6.0)]
    with tenant_scope(alice.tenant.id):
        image = Image.objects.get(filename="a.png")
        assert image.annotations.count() == 2


def test_what_we_keep_of_an_image_is_known_when_it_comes_back(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    """An export holds the bytes that we keep, not those that came."""
    bring(alice, project, File("a.png", photo("a.png"), "image/png"))
    hand.work()
    with tenant_scope(alice.tenant.id):
        image = Image.objects.get()
    kept = storage.read(f"images/{image.stored_sha256}", max_bytes=1 << 20)
    assert kept != photo("a.png")
    data = zipped({"data.yaml": "names: [dent]", "images/a.png": kept, "labels/a.txt": "0 0.5 0.5 0.5 0.5"})
    done = committed(alice, project, hand, data)
    assert done["result"]["images"] == {"UPDATED": 1}
    assert labels_of(alice, project) == {"a.png": [("dent", 12.0, 9.0, 24.0, 18.0)]}


def test_labels_without_a_file_mean_the_project_s_image_of_that_name(alice: Person, project: str, hand: Hand) -> None:
    bring(alice, project, File("here.png", photo("here"), "image/png"))
    hand.work()
    pages = {"labels/here.txt": "0 0.5 0.5 0.5 0.5", "labels/nowhere.txt": "0 0.5 0.5 0.5 0.5"}
    data = zipped({"data.yaml": "names: [dent]"} | pages)
    row = checked(alice, project, hand, data)
    assert (row["report"]["missing"], row["report"]["labelled"]) == (1, 1)
    assert references(row, "missing_file") == [("nowhere", "labels/nowhere.txt")]
    assert references(row, "found_in_project") == [("here", "labels/here.txt")]
    done = committed(alice, project, hand, data)
    assert done["result"]["images"] == {"REJECTED": 1, "UPDATED": 1}
    lines = results(alice, done["id"])
    assert lines["nowhere"]["error"]["code"] == "missing_file"
    assert labels_of(alice, project) == {"here.png": [("dent", 12.0, 9.0, 24.0, 18.0)]}


def test_skipped_classes_make_no_good_images(alice: Person, project: str, hand: Hand) -> None:
    post(alice, f"projects/{project}/classes", {"name": "dent"})
    data = coco_zip({"both.png": [BOX, ("scratch", 1, 1, 9, 9)], "lost.png": [("scratch", 1, 1, 9, 9)]})
    done = committed(alice, project, hand, data, "SKIP")
    assert labels_of(alice, project) == {"both.png": [BOX], "lost.png": None}
    lines = results(alice, done["id"])
    assert [warned["code"] for warned in lines["images/both.png"]["warnings"]] == ["unknown_class"]
    assert "scratch" in lines["images/lost.png"]["warnings"][0]["message"]
    assert (lines["images/lost.png"]["outcome"], lines["images/lost.png"]["labelled"]) == ("CREATED", False)
    with tenant_scope(alice.tenant.id):
        assert [label.name for label in DefectClass.objects.all()] == ["dent"]


def test_announcing_again_resumes_and_sending_is_held_to_what_was_announced(
    alice: Person, project: str, hand: Hand
) -> None:
    data = ARCHIVES["COCO"]
    first, again = announce(alice, project, data).json(), announce(alice, project, data).json()
    assert first["id"] == again["id"]
    assert first["status"] == "AWAITING"
    early = post(alice, f"imports/{first['id']}/check", {})
    assert (early.status_code, early.json()["code"]) == (409, "archive_not_arrived")
    assert post(alice, f"imports/{first['id']}/commit", {}).json()["code"] == "import_not_checked"
    assert alice.api.get(f"/api/v1/imports/{first['id']}/results").json()["code"] == "import_not_done"


@pytest.mark.parametrize(
    "changes",
    [{"size": 0}, {"size": 3 * 1024**3}, {"sha256": "A" * 64}, {"filename": "a\nb"}],
    ids=lambda it: next(iter(it)),
)
def test_announcements_that_cannot_be(alice: Person, project: str, changes: dict[str, object]) -> None:
    assert announce(alice, project, b"x", **changes).status_code == 400
    assert announce(alice, project, b"x").status_code == 201


def test_a_commit_is_the_asker_s_and_making_classes_takes_an_editor(cast: Cast, project: str, hand: Hand) -> None:
    data = ARCHIVES["COCO"]
    row = checked(cast.bob, project, hand, data)
    refused = post(cast.bob, f"imports/{row['id']}/commit", {"unknown_classes": "CREATE"})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert post(cast.vera, f"imports/{row['id']}/commit", {}).status_code == 403
    assert post(cast.bob, f"imports/{row['id']}/commit", {}).status_code == 202
    hand.work()
    with tenant_scope(cast.bob.tenant.id):
        good = Image.objects.select_related("accepted").get(filename="good.png")
        assert good.accepted is not None
        assert good.accepted.author_id == cast.bob.principal.member_id


def test_an_import_at_work_is_neither_deleted_nor_asked_for_twice(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    import_id = sent(alice, project, ARCHIVES["COCO"])
    first = post(alice, f"imports/{import_id}/check", {}).json()["job"]
    assert post(alice, f"imports/{import_id}/check", {}).json()["job"] == first
    busy = alice.api.delete(f"/api/v1/imports/{import_id}")
    assert (busy.status_code, busy.json()["code"]) == (409, "import_busy")
    assert post(alice, f"imports/{import_id}/commit", {}).json()["code"] == "import_busy"
    hand.work()
    assert alice.api.delete(f"/api/v1/imports/{import_id}").status_code == 204
    assert alice.api.get(f"/api/v1/imports/{import_id}").status_code == 404
    assert storage.sizes("incoming", names=[f"import-{import_id}"]) == {}


def test_a_done_import_is_not_done_again(alice: Person, project: str, hand: Hand) -> None:
    done = committed(alice, project, hand, ARCHIVES["YOLO"])
    for verb in ("check", "commit"):
        assert post(alice, f"imports/{done['id']}/{verb}", {}).json()["code"] == "import_done"
    assert alice.api.delete(f"/api/v1/imports/{done['id']}").status_code == 204
    assert labels_of(alice, project) == EXPECTED


def test_a_canceled_check_says_so_and_can_be_asked_for_again(alice: Person, project: str, hand: Hand) -> None:
    import_id = sent(alice, project, ARCHIVES["VOC"])
    job = post(alice, f"imports/{import_id}/check", {}).json()["job"]
    assert post(alice, f"jobs/{job}/cancel", {}).status_code == 200
    row = shown(alice, import_id)
    assert (row["status"], row["error"]["code"]) == ("FAILED", "import_canceled")
    assert post(alice, f"imports/{import_id}/check", {}).status_code == 202
    hand.work()
    assert shown(alice, import_id)["status"] == "CHECKED"


def test_other_bytes_than_were_announced_are_refused(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    data = ARCHIVES["VOC"]
    import_id = announce(alice, project, data).json()["id"]
    storage.put(f"incoming/import-{import_id}", ARCHIVES["YOLO"], content_type="application/zip")
    assert post(alice, f"imports/{import_id}/check", {}).status_code == 202
    hand.work()
    row, job = stored(alice, import_id)
    assert (row.status, (row.error or {})["code"]) == ("FAILED", "archive_changed")
    assert job is not None
    assert job.state == "FAILED"


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_takes_as_many_queries_for_three_as_for_one(
    alice: Person, project: str, queries: object, count: int
) -> None:
    for number in range(count):
        announce(alice, project, b"x" * (number + 1))
    with queries() as sql:  # type: ignore[operator]  # the fixture's
        answer = alice.api.get(f"/api/v1/projects/{project}/imports")
    assert len(answer.json()["results"]) == count
    assert "report" not in answer.json()["results"][0]
    assert len(sql) == LIST_QUERIES


LIST_QUERIES = 10


def test_so_many_imports_are_open_at_a_time(
    alice: Person, project: str, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive's bytes are charged to nobody, so their number is bounded."""
    monkeypatch.setattr(imports, "MOST_OPEN", 2)
    first, second = coco_zip({"a.png": []}), coco_zip({"b.png": []})
    done = committed(alice, project, hand, first)
    assert done["status"] == "DONE"
    for data in (second, coco_zip({"c.png": []})):
        assert announce(alice, project, data).status_code == 201
    refused = announce(alice, project, first)
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert announce(alice, project, second).status_code in (200, 201), "resuming opens none"
