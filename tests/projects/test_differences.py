"""What changed from one snapshot to another: by hand-made manifests, and through the API."""

import uuid
from dataclasses import replace

import pytest

from projects.domain import differences, snapshots
from projects.domain.differences import Renamed, difference
from projects.domain.manifests import Manifest, ManifestBox, ManifestClass, ManifestImage, manifest_key
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.conftest import project_of
from tests.projects.labelled import label, labelled, snapshot_of, snapshot_row
from tests.projects.labelling import book
from tests.projects.test_manifests import IMAGE, MANIFEST
from tests.projects.working import Hand

DENT, BURR = ManifestClass(uuid.UUID(int=2), "dent"), ManifestClass(uuid.UUID(int=5), "burr")
NOBODY = str(uuid.UUID(int=9))
FIRST = ManifestBox(0, 1, 2, 3, 4)
SECOND = ManifestBox(0, 5, 6, 7, 8)


def image(number: int, *boxes: ManifestBox) -> ManifestImage:
    return replace(IMAGE, id=uuid.UUID(int=number), filename=f"{number}.png", boxes=boxes)


def manifest(*images: ManifestImage, classes: tuple[ManifestClass, ...] = (DENT,)) -> Manifest:
    return replace(MANIFEST, classes=classes, images=images)


def test_nothing_changed() -> None:
    found = difference(before=manifest(image(1, FIRST)), after=manifest(image(1, FIRST)))

    assert found.images == {"added": 0, "removed": 0, "changed": 0, "unchanged": 1}
    assert found.boxes == {"added": 0, "removed": 0, "changed": 0}
    assert (found.listed, found.truncated, found.classes_renamed) == ([], False, [])


def test_images_come_and_go_with_their_boxes() -> None:
    found = difference(before=manifest(image(1), image(2, FIRST)), after=manifest(image(1), image(3, FIRST, SECOND)))

    assert found.images == {"added": 1, "removed": 1, "changed": 0, "unchanged": 1}
    assert found.boxes == {"added": 2, "removed": 1, "changed": 0}
    assert [(entry.filename, entry.change, entry.boxes_added, entry.boxes_removed) for entry in found.listed] == [
        ("2.png", "REMOVED", 0, 1),
        ("3.png", "ADDED", 2, 0),
    ]


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        ([FIRST], [FIRST, SECOND], (1, 0, 0)),
        ([FIRST, SECOND], [SECOND], (0, 1, 0)),
        ([FIRST], [replace(FIRST, x=1.5)], (0, 0, 1)),
        ([FIRST], [replace(FIRST, class_index=1)], (0, 0, 1)),
        ([FIRST, FIRST], [FIRST], (0, 1, 0)),
        ([FIRST, SECOND], [replace(FIRST, width=9), replace(SECOND, width=9), FIRST], (1, 0, 1)),
    ],
)
def test_boxes_are_added_removed_or_changed(
    before: list[ManifestBox], after: list[ManifestBox], counted: tuple[int, int, int]
) -> None:
    found = difference(
        before=manifest(image(1, *before), classes=(DENT, BURR)), after=manifest(image(1, *after), classes=(DENT, BURR))
    )

    (entry,) = found.listed
    assert (entry.boxes_added, entry.boxes_removed, entry.boxes_changed) == counted
    assert tuple(found.boxes.values()) == counted
    assert found.images["changed"] == 1


def test_another_order_of_boxes_or_classes_is_no_change() -> None:
    before = manifest(image(1, FIRST, SECOND), classes=(DENT, BURR))
    turned = [replace(box, class_index=1) for box in (SECOND, FIRST)]

    found = difference(before=before, after=manifest(image(1, *turned), classes=(BURR, DENT)))

    assert (found.listed, found.images["unchanged"]) == ([], 1)


def test_classes_come_go_and_are_renamed() -> None:
    gouge = replace(DENT, name="gouge")
    lone = ManifestClass(uuid.UUID(int=6), "crack")

    found = difference(before=manifest(classes=(DENT, lone)), after=manifest(classes=(gouge, BURR)))

    assert (found.classes_added, found.classes_removed) == ([BURR], [lone])
    assert found.classes_renamed == [Renamed(DENT.id, "dent", "gouge")]


def test_fields_of_an_image_change() -> None:
    moved = replace(image(1), split="TEST", group="part 8", metadata={})

    found = difference(before=manifest(image(1), image(2)), after=manifest(moved, image(2)))

    assert (found.splits_changed, len(found.listed)) == (1, 1)
    assert found.listed[0].fields == {
        "split": ("TRAIN", "TEST"),
        "group": ("part 7", "part 8"),
        "metadata": ({"line": 2, "camera": "left"}, {}),
    }


def test_at_most_a_thousand_images_are_listed_and_all_are_counted() -> None:
    many = [image(number) for number in range(1, differences.MAX_LISTED + 2)]

    found = difference(before=manifest(), after=manifest(*many))

    assert (len(found.listed), found.truncated, found.images["added"]) == (1000, True, 1001)
    assert not difference(before=manifest(), after=manifest(*many[:1000])).truncated


def test_two_snapshots_through_the_api(alice: Person, project: str, hand: Hand) -> None:
    dent = book(alice, project, "dent")[0]
    corrected = labelled(alice, project, "corrected.png", ("dent", 1, 2, 3, 4))
    removed = labelled(alice, project, "removed.png")
    before = snapshot_of(alice, project)
    hand.work()
    label(alice, corrected, ("dent", 1, 2, 3, 5), ("dent", 9, 9, 9, 9))
    alice.api.patch(f"/api/v1/images/{corrected}", {"split": "TEST"}, format="json")
    alice.api.patch(f"/api/v1/classes/{dent}", {"name": "gouge"}, format="json")
    alice.api.delete(f"/api/v1/images/{removed}")
    added = labelled(alice, project, "added.png")
    (burr,) = book(alice, project, "burr")
    after = snapshot_of(alice, project)
    hand.work()

    answer = alice.api.get(f"/api/v1/snapshots/{after['id']}/diff?against={before['id']}")

    assert answer.status_code == 200, answer.content
    unchanged = {"boxes_added": 0, "boxes_removed": 0, "boxes_changed": 0, "fields_changed": {}}
    assert answer.json() == {
        "snapshot": after["id"],
        "against": before["id"],
        "images": {"added": 1, "removed": 1, "changed": 1, "unchanged": 0},
        "boxes": {"added": 1, "removed": 0, "changed": 1},
        "splits_changed": 1,
        "classes_added": [{"id": burr, "name": "burr"}],
        "classes_removed": [],
        "classes_renamed": [{"id": dent, "before": "dent", "after": "gouge"}],
        "listed": [
            {
                "image": corrected,
                "filename": "corrected.png",
                "change": "CHANGED",
                "boxes_added": 1,
                "boxes_removed": 0,
                "boxes_changed": 1,
                "fields_changed": {"split": ["TRAIN", "TEST"]},
            },
            {"image": removed, "filename": "removed.png", "change": "REMOVED", **unchanged},
            {"image": added, "filename": "added.png", "change": "ADDED", **unchanged},
        ],
        "truncated": False,
    }


@pytest.mark.parametrize(("against", "status"), [("", 400), ("x", 400), ("7" * 40, 400), (NOBODY, 404)])
def test_against_must_name_a_snapshot(alice: Person, project: str, hand: Hand, against: str, status: int) -> None:
    labelled(alice, project, "a.png")
    snapshot = snapshot_of(alice, project)

    for query in (f"?against={against}", "")[: 1 if against else 2]:
        answer = alice.api.get(f"/api/v1/snapshots/{snapshot['id']}/diff{query}")
        assert answer.status_code == status
        assert answer.json()["hint"]
        if status == 400:
            assert answer.json()["errors"][0]["field"] == "against"


def test_snapshots_of_two_projects_are_not_compared(alice: Person, project: str, hand: Hand) -> None:
    made = []
    for own in (project, project_of(alice, "Lids")):
        labelled(alice, own, "a.png")
        made.append(snapshot_of(alice, own))
    hand.work()

    answer = alice.api.get(f"/api/v1/snapshots/{made[0]['id']}/diff?against={made[1]['id']}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "against")
    assert "different projects" in answer.json()["detail"]


def test_too_large_and_damaged_ones_are_refused(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(alice, project, "a.png")
    snapshot = snapshot_of(alice, project)
    hand.work()
    path = f"/api/v1/snapshots/{snapshot['id']}/diff?against={snapshot['id']}"
    assert alice.api.get(path).status_code == 200

    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "MAX_COMPARED", 1)
        refused = alice.api.get(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "snapshot_too_large")
    key = manifest_key(snapshot_row(alice, snapshot).manifest_sha256)
    size = len(storage.read(key, max_bytes=10_000))
    for most, status in ((size, 200), (size - 1, 409)):
        with monkeypatch.context() as patched:
            patched.setattr(snapshots, "MAX_COMPARED_BYTES", most)
            refused = alice.api.get(path)
        assert refused.status_code == status
    assert refused.json()["code"] == "snapshot_too_large"
    assert f"more than {size - 1} bytes" in refused.json()["detail"]
    storage.delete([key])
    refused = alice.api.get(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "snapshot_damaged")
    assert refused.json()["hint"]
