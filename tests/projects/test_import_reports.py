"""What a check finds wrong, and that the commit does what it said."""

import json
from collections.abc import Callable

import pytest

from projects.models import DefectClass, Image, Import, ImportChunk, Project
from tenants.models import Member
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.archives import hostile
from tests.projects.archives.zips import coco, coco_zip, photo, yolo_zip, zipped
from tests.projects.files import File, encoded, picture
from tests.projects.importing import checked, committed, labels_of, problems, references, refused, results, shown
from tests.projects.labelled import label
from tests.projects.uploading import bring, post, usage
from tests.projects.working import Hand

# Images are 48 × 36.
BOXES = {
    "cut.png": [("dent", 40, 30, 20, 20)],
    "outside.png": [("dent", 100, 100, 5, 5)],
    "small.png": [("dent", 1, 1, 0.5, 9), ("dent", 1, 1, 9, 9)],
    "empty.png": [("dent", 1, 1, 0, 9)],
    "many.png": [("dent", 1, 1, 2, 2)] * 1001,
}


def test_boxes_that_do_not_fit(alice: Person, project: str, hand: Hand) -> None:
    data = coco_zip(BOXES, names=("dent",))
    row = checked(alice, project, hand, data)
    kinds = {"bad_box": 1, "unknown_class": 4, "box_clipped": 1, "box_outside": 1, "box_too_small": 1}
    assert problems(row) == kinds | {"too_many_boxes": 1}
    assert references(row, "box_clipped") == [("annotations.json", "annotation 100")]
    assert [row["report"][name] for name in ("labelled", "good", "unlabelled", "boxes")] == [2, 0, 3, 2]
    assert all(problem["message"] and problem["action"] for problem in row["report"]["problems"])

    done = committed(alice, project, hand, data)
    assert [done["result"][name] for name in ("labelled", "boxes", "errors")] == [2, 2, 0]
    assert labels_of(alice, project) == {
        "cut.png": [("dent", 40.0, 30.0, 8.0, 6.0)],
        "outside.png": None,
        "small.png": [("dent", 1.0, 1.0, 9.0, 9.0)],
        "empty.png": None,
        "many.png": None,
    }
    warned = {
        name[7:]: [each["code"] for each in line["warnings"]] for name, line in results(alice, done["id"]).items()
    }
    assert warned == {
        "cut.png": ["box_clipped"],
        "outside.png": ["box_outside"],
        "small.png": ["box_too_small"],
        "empty.png": ["bad_box"],
        "many.png": ["too_many_boxes"],
    }


def test_copies_conflicts_and_namesakes(alice: Person, project: str, hand: Hand) -> None:
    files: dict[str, bytes | str] = {"data.yaml": "names: [dent]"}
    for path, seed, line in (
        ("a/one.png", "1", "0 0.5 0.5 0.5 0.5"),
        ("a/two.png", "2", "0 0.5 0.5 0.5 0.5"),
        ("b/copy.png", "1", "0 0.5 0.5 0.5 0.5"),
        ("b/quarrel.png", "2", "0 0.5 0.5 0.25 0.25"),
        ("b/one.png", "3", ""),
        ("c/bare.png", "4", None),
        ("c/said.png", "4", ""),
    ):
        files[f"images/{path}"] = photo(seed)
        if line is not None:
            files[f"labels/{path[:-4]}.txt"] = line
    row = checked(alice, project, hand, zipped(files))
    assert problems(row) == {
        "unknown_class": 2, "duplicate_image": 3, "same_name": 2, "conflicting_boxes": 1,
    }  # fmt: skip
    assert references(row, "duplicate_image") == [
        ("images/b/copy.png", ""), ("images/b/quarrel.png", ""), ("images/c/bare.png", ""),
    ]  # fmt: skip
    done = committed(alice, project, hand, zipped(files))
    assert done["result"]["images"] == {"CREATED": 4, "DUPLICATE": 3}
    lines = results(alice, done["id"])
    assert lines["images/b/copy.png"]["copy_of"] == "images/a/one.png"
    assert lines["images/a/two.png"]["labelled"] is False
    assert [warned["code"] for warned in lines["images/a/two.png"]["warnings"]] == ["conflicting_boxes"]
    assert lines["images/c/said.png"]["labelled"] is True
    with tenant_scope(alice.tenant.id):
        assert Image.objects.filter(filename="one.png").count() == 2


def test_the_same_picture_in_other_bytes_is_taken_once(alice: Person, project: str, hand: Hand) -> None:
    drawn = picture("same")
    files = {"images/a.png": encoded(drawn, "PNG"), "images/b.bmp": encoded(drawn, "BMP")}
    document = json.dumps(coco({"a.png": [("dent", 1, 1, 9, 9)], "b.bmp": []}))
    done = committed(alice, project, hand, zipped(files | {"x.json": document}))
    assert done["result"]["images"] == {"CREATED": 1, "DUPLICATE": 1}
    assert results(alice, done["id"])["images/b.bmp"]["error"]["code"] == "duplicate_content"
    assert labels_of(alice, project) == {"a.png": [("dent", 1.0, 1.0, 9.0, 9.0)]}
    assert usage(alice)["images"] == 1, "what was refused is given back"


def test_a_picture_of_the_project_in_other_bytes_takes_the_labels(alice: Person, project: str, hand: Hand) -> None:
    """As when a tool saved the camera's files anew; but what a person said of an image stays."""
    drawn, labelled = picture("camera"), picture("labelled")
    kept = {"camera.bmp": drawn, "labelled.bmp": labelled}
    files = [File(name, encoded(pixels, "BMP"), "image/bmp") for name, pixels in kept.items()]
    _, good = bring(alice, project, *files)
    hand.work()
    label(alice, good)
    images = {"camera.png": drawn, "again.png": drawn, "labelled.png": labelled, "bare.png": labelled}
    packed: dict[str, bytes | str] = {}
    for level, (name, pixels) in enumerate(images.items()):
        packed[f"images/{name}"] = encoded(pixels, "PNG", compress_level=level)
    box = ("dent", 1, 1, 9, 9)
    document = json.dumps(coco({"camera.png": [box], "again.png": [box], "labelled.png": [box]}))
    done = committed(alice, project, hand, zipped(packed | {"x.json": document}))
    assert labels_of(alice, project) == {"camera.bmp": [("dent", 1.0, 1.0, 9.0, 9.0)], "labelled.bmp": []}
    lines = results(alice, done["id"])
    assert [lines[f"images/{name}"]["outcome"] for name in images] == ["UPDATED", "DUPLICATE", "DUPLICATE", "DUPLICATE"]
    hints = [lines[f"images/{name}"].get("error", {}).get("hint", "") for name in images]
    assert [("left out" in hint) for hint in hints] == [False, True, True, False]
    assert usage(alice)["images"] == 2


def test_splits_groups_and_metadata_come_in_with_the_sidecar_s_classes(alice: Person, project: str, hand: Hand) -> None:
    about = {"filename": "Größe.png", "split": "TEST", "group": "board 7", "metadata": {"camera": "3"}}
    label = {"name": "scratch", "definition": "long", "rule": "> 2 mm", "color": "#112233"}
    sidecar = {"version": 1, "classes": [label], "images": {"images/train/a.png": about}}
    data = yolo_zip({"a.png": "", "b.png": ""}, more={"myriad.json": json.dumps(sidecar)})
    row = checked(alice, project, hand, data)
    assert row["report"]["splits"] == {"TEST": 1, "TRAIN": 1}
    assert row["report"]["classes"] == [{"name": "scratch", "boxes": 0, "known": False}]
    committed(alice, project, hand, data)
    with tenant_scope(alice.tenant.id):
        image = Image.objects.get(filename="Größe.png")
        assert (image.split, image.split_pinned, image.group) == ("TEST", True, "board 7")
        assert image.metadata == {"camera": "3"}
        made = DefectClass.objects.get()
        assert (made.name, made.definition, made.rule, made.color) == ("scratch", "long", "> 2 mm", "#112233")


def test_what_does_not_fit_into_the_quota_is_left_out(
    alice: Person, project: str, hand: Hand, limit: Callable[..., None]
) -> None:
    limit(images_limit=1)
    data = coco_zip({"a.png": [], "b.png": []})
    assert problems(checked(alice, project, hand, data)) == {"over_quota": 1}
    done = committed(alice, project, hand, data)
    assert done["result"]["images"] == {"CREATED": 1, "REJECTED": 1}
    assert results(alice, done["id"])["images/b.png"]["error"]["code"] == "quota_exceeded"
    assert usage(alice)["images"] == 1


@pytest.mark.parametrize("name", ["bomb", "encrypted", "overlapping", "polyglot", "100,000 entries", "truncated"])
def test_a_hostile_archive_fails_its_check_and_leaves_nothing(
    alice: Person, project: str, hand: Hand, name: str
) -> None:
    make, code = hostile.REFUSED[name]
    assert refused(alice, project, hand, make()) == code
    with tenant_scope(alice.tenant.id):
        assert not Image.objects.exists()
        assert Project.objects.get(id=project).image_count == 0


def test_what_is_glued_to_a_picture_does_not_come_in(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    data = yolo_zip({"a.png": ""}, more={"images/train/b.jpg": hostile.polyglot(), "../evil.png": photo("evil")})
    row = checked(alice, project, hand, data)
    assert problems(row) == {"unsafe_name": 1, "no_annotation": 1}
    committed(alice, project, hand, data)
    assert set(labels_of(alice, project)) == {"a.png", "b.jpg"}
    with tenant_scope(alice.tenant.id):
        image = Image.objects.get(filename="b.jpg")
    kept = storage.read(f"images/{image.stored_sha256}", max_bytes=1 << 20)
    assert b"PK\x03\x04" not in kept


def test_a_class_deleted_between_check_and_commit_is_made_again_or_skipped(
    alice: Person, project: str, hand: Hand
) -> None:
    made = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    row = checked(alice, project, hand, coco_zip({"a.png": [("dent", 1, 1, 9, 9)]}))
    assert problems(row) == {}
    assert alice.api.delete(f"/api/v1/classes/{made}").status_code == 204
    assert post(alice, f"imports/{row['id']}/commit", {"unknown_classes": "SKIP"}).status_code == 202
    hand.work()
    assert labels_of(alice, project) == {"a.png": None}


def test_who_may_no_longer_label_imports_nothing_more(alice: Person, project: str, hand: Hand) -> None:
    row = checked(alice, project, hand, coco_zip({"a.png": [("dent", 1, 1, 9, 9)]}))
    assert post(alice, f"imports/{row['id']}/commit", {"unknown_classes": "CREATE"}).status_code == 202
    with tenant_scope(alice.tenant.id):
        Member.objects.filter(id=alice.seat.member.id).update(role="VIEWER")
    assert hand.work() == ["FAILED"]
    assert shown(alice, row["id"])["error"]["code"] == "not_allowed"
    assert labels_of(alice, project) == {}


def test_an_import_that_has_begun_goes_on_as_it_began(alice: Person, project: str, hand: Hand) -> None:
    row = checked(alice, project, hand, coco_zip({"a.png": [("dent", 1, 1, 9, 9)]}))
    with tenant_scope(alice.tenant.id):
        Import.objects.filter(id=row["id"]).update(unknown_classes="SKIP")
        ImportChunk.objects.create(source_id=row["id"], number=0, lines=[], is_done=True)
    refused = post(alice, f"imports/{row['id']}/commit", {"unknown_classes": "CREATE"})
    assert (refused.status_code, refused.json()["code"]) == (409, "import_begun_otherwise")
    assert "SKIP" in refused.json()["hint"]
    assert post(alice, f"imports/{row['id']}/commit", {"unknown_classes": "SKIP"}).status_code == 202
