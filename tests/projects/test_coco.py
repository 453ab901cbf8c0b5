"""A snapshot as a COCO file: what pycocotools loads is what was labelled."""

import contextlib
import io
import json
from pathlib import Path

import httpx
import pytest
from pycocotools.coco import COCO

from projects.domain.coco import distinct_names
from tests.cast import Person
from tests.projects.labelled import labelled, snapshot_of
from tests.projects.labelling import book
from tests.projects.working import Hand


def exported(person: Person, project: str, hand: Hand) -> bytes:
    """The COCO file of a new snapshot, as its owner fetches it."""
    snapshot = snapshot_of(person, project)
    assert hand.work() == ["SUCCEEDED"]
    redirect = person.api.get(f"/api/v1/snapshots/{snapshot['id']}/coco")
    served = httpx.get(redirect["Location"])
    assert (redirect.status_code, served.status_code) == (302, 200)
    assert served.headers["Content-Type"] == "application/json"
    return served.content


def test_pycocotools_reads_what_was_labelled(alice: Person, project: str, hand: Hand, tmp_path: Path) -> None:
    book(alice, project, "dent", "scratch", "burr")
    truth = {
        "a.png": [("dent", 1.5, 2.25, 30, 40), ("scratch", 0.1, 0, 639.5, 1), ("dent", 5, 5, 6, 7)],
        "b.png": [],
        "c.png": [("burr", 600, 400, 40, 80)],
    }
    for name, boxes in truth.items():
        labelled(alice, project, name, *boxes, group="part 1", metadata={"line": name}, split="TEST")
    file = tmp_path / "coco.json"
    file.write_bytes(exported(alice, project, hand))

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(file))

    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    assert names == {1: "dent", 2: "scratch", 3: "burr"}
    read = {}
    for image in coco.loadImgs(coco.getImgIds()):
        drawn = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
        read[image["file_name"]] = [(names[box["category_id"]], *box["bbox"]) for box in drawn]
        assert (image["width"], image["height"], image["split"]) == (640, 480, "TEST")
        assert (image["group"], image["metadata"]) == ("part 1", {"line": image["file_name"]})
        assert len(image["sha256"]) == 64
        assert all(box["area"] == box["bbox"][2] * box["bbox"][3] and box["iscrowd"] == 0 for box in drawn)
    assert read == truth
    assert sorted(coco.getAnnIds()) == [1, 2, 3, 4]
    assert coco.getAnnIds(catIds=[1], areaRng=[1000, 2000]) == [1]


def test_file_names_that_repeat_are_told_apart(alice: Person, project: str, hand: Hand) -> None:
    for _ in range(3):
        labelled(alice, project, "same.png")
    document = json.loads(exported(alice, project, hand))

    assert [image["file_name"] for image in document["images"]] == ["same.png", "same (2).png", "same (3).png"]
    assert len({image["sha256"] for image in document["images"]}) == 3
    assert document["licenses"] == document["annotations"] == []


@pytest.mark.parametrize(
    ("given", "distinct"),
    [
        (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"]),
        (["a.jpg", "a.jpg", "a (2).jpg"], ["a.jpg", "a (3).jpg", "a (2).jpg"]),
        (["a", "a"], ["a", "a (2)"]),
        (["line/a.tar.gz", "line/a.tar.gz"], ["line/a.tar.gz", "line/a.tar (2).gz"]),
        ([".jpg", ".jpg"], [".jpg", ".jpg (2)"]),
        (["a (2).jpg", "a.jpg", "a.jpg", "a (2).jpg"], ["a (2).jpg", "a.jpg", "a (3).jpg", "a (2) (2).jpg"]),
    ],
)
def test_a_number_is_put_before_the_extension(given: list[str], distinct: list[str]) -> None:
    assert distinct_names(given) == distinct
    assert len(set(distinct)) == len(given)
