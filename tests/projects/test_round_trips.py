"""Out and in again: what a snapshot holds comes back as it was from each of the three formats."""

import json
from typing import Any

import pytest

from projects.domain.manifests import Manifest, ManifestImage
from projects.models import DefectClass
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.conftest import project_of
from tests.projects.exporting import exported, frozen, manifest_of
from tests.projects.files import photograph
from tests.projects.importing import committed
from tests.projects.labelled import label
from tests.projects.uploading import ask, complete, post, send
from tests.projects.working import Hand

FORMATS = pytest.mark.parametrize("form", ["COCO", "VOC", "YOLO"])
CLASSES: list[dict[str, str]] = [
    {"name": "dent", "definition": "Pressed in.", "rule": "deeper than 0.05 mm", "color": "#112233"},
    {"name": "Kratzer <&> «größer»", "definition": "Zeile 1\nZeile 2", "color": "#445566"},
    {"name": "no"},
    {"name": "never drawn", "rule": "longer than 2 mm"},
]
# Seed, form of the file, what is said of it, its boxes. Photographs have 48 × 36 pixels.
IMAGES: list[tuple[str, str, dict[str, Any], list[Any]]] = [
    ("plain", "JPEG", {"split": "TRAIN"}, [("dent", 0, 0, 48, 36), ("dent", 1, 2, 3, 4)]),
    ("thirds", "PNG", {"split": "TEST"}, [("no", 1 / 3, 2 / 3, 10 / 3, 20 / 3), ("dent", 0.1, 0.2, 47.7, 35.7)]),
    ("good", "JPEG", {"split": "VALIDATION"}, []),
    ("told", "JPEG", {"group": "part 7", "metadata": {"camera": "3", "lot": 12, "ok": True, "heat": 0.5}}, []),
    ("bitmap", "BMP", {"filename": "scan.bmp"}, [("Kratzer <&> «größer»", 47, 35, 1, 1)]),
    ("twin 1", "JPEG", {"filename": "same.jpg"}, [("dent", 5, 5, 5, 5)]),
    ("twin 2", "JPEG", {"filename": "same.jpg"}, [("no", 6, 6, 6, 6)]),
    ("twin 3", "PNG", {"filename": "SAME.png"}, []),
    ("strange", "JPEG", {"filename": "../Gehäuse: 歯車?\u2028.jpg"}, [("dent", 7, 7, 7, 7)]),
    ("list", "PNG", {"filename": "train.png"}, [("dent", 8, 8, 8, 8)]),
    ("plate", "PNG", {"filename": "license_plate.png"}, [("no", 9, 9, 9, 9)]),
    ("dotted", "JPEG", {"filename": ".a.b.jpg"}, [("no", 9, 9, 9, 10)]),
]


@pytest.fixture
def snapshot(alice: Person, project: str, hand: Hand) -> dict[str, Any]:
    for label_said in CLASSES:
        assert post(alice, f"projects/{project}/classes", label_said).status_code == 201
    files = [photograph(seed, form) for seed, form, _, _ in IMAGES]
    said = [file.item(**described) for file, (_, _, described, _) in zip(files, IMAGES, strict=True)]
    lines = ask(alice, project, *said)
    for line, file in zip(lines, files, strict=True):
        assert send(line["upload"], file.data).status_code == 204
    complete(alice, project, *(line["image"] for line in lines))
    hand.work()
    for line, (_, _, _, boxes) in zip(lines, IMAGES, strict=True):
        label(alice, line["image"], *boxes)
    return frozen(alice, project, hand)


def said_of(manifest: Manifest, *, digits: int | None = None) -> list[Any]:
    """All that a manifest says but for ids; sides rounded, where the format has them only so far."""
    names = [label.name for label in manifest.classes]

    def sides(box: Any) -> tuple[float, ...]:
        given = (box.x, box.y, box.width, box.height)
        return given if digits is None else tuple(round(side, digits) for side in given)

    def said(image: ManifestImage) -> tuple[Any, ...]:
        group = "its own" if image.group == str(image.id) else image.group
        boxes = sorted((names[box.class_index], *sides(box)) for box in image.boxes)
        facts = (image.filename, image.sha256, image.type, image.width, image.height, image.split, group)
        return (*facts, json.dumps(image.metadata, sort_keys=True), boxes)

    return [names, *(json.dumps(line) for line in sorted(said(image) for image in manifest.images))]


def book_of(person: Person, project: str) -> list[tuple[str, ...]]:
    with tenant_scope(person.tenant.id):
        rows = DefectClass.objects.filter(project_id=project).order_by("id")
        return list(rows.values_list("name", "definition", "rule", "color"))


@FORMATS
def test_what_goes_out_comes_back(alice: Person, project: str, snapshot: dict[str, Any], hand: Hand, form: str) -> None:
    data = exported(alice, snapshot, hand, form)
    other = project_of(alice, "Copied")
    row = committed(alice, other, hand, data)
    assert (row["status"], row["format"]) == ("DONE", form), row
    before, after = manifest_of(alice, snapshot), manifest_of(alice, frozen(alice, other, hand))

    # YOLO's fractions are read to a millionth of a pixel.
    digits = 6 if form == "YOLO" else None
    assert said_of(after, digits=digits) == said_of(before, digits=digits)
    assert book_of(alice, other) == book_of(alice, project)
    assert len(after.images) == len(IMAGES)
    # Once more, into the project that it came from: every image is known, and every box is there.
    again = committed(alice, project, hand, data)
    assert again["result"]["images"] == {"UNCHANGED": len(IMAGES)} or form == "YOLO", again
    assert said_of(manifest_of(alice, frozen(alice, project, hand)), digits=digits) == said_of(before, digits=digits)
