"""What the writers put into a zip: names that every system unpacks, numbers that come back, files that repeat."""

import io
import json
import random
import unicodedata
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from defusedxml.ElementTree import fromstring

from projects.domain.archives import voc_zip, yolo_zip
from projects.domain.archives.contents import ArchiveClass, Problems
from projects.domain.archives.layouts import CannotBeWritten, Layout
from projects.domain.archives.write_coco import coco_layout
from projects.domain.archives.write_names import entry_names
from projects.domain.archives.write_sidecar import sidecar
from projects.domain.archives.write_voc import voc_layout
from projects.domain.archives.write_yolo import yolo_layout
from projects.domain.archives.write_zip import writing
from projects.domain.archives.zip_entries import Entries
from projects.domain.manifests import Manifest, ManifestBox, ManifestClass, ManifestImage

JPEG = "image/jpeg"
LAYOUTS = [coco_layout, voc_layout, yolo_layout]
Sides = tuple[float, float, float, float]


def manifest_of(*boxes: Sides, label: str = "dent", width: int = 640, height: int = 480) -> Manifest:
    image = ManifestImage(
        id=uuid.UUID(int=2),
        filename="a.jpg",
        sha256="0" * 64,
        type=JPEG,
        width=width,
        height=height,
        split="TRAIN",
        group=str(uuid.UUID(int=2)),
        metadata={},
        annotation=uuid.UUID(int=3),
        boxes=tuple(ManifestBox(0, *sides) for sides in boxes),
    )
    return Manifest(uuid.UUID(int=1), "DETECTION", (ManifestClass(uuid.UUID(int=4), label),), (image,))


def texts(layout: Layout) -> dict[str, str]:
    return {path: data.decode() for path, data in layout.texts}


def random_boxes(width: int, height: int) -> list[Sides]:
    """Boxes as people draw them, as models find them, and at the edges."""
    chance = random.Random(7)
    found: list[Sides] = [(0, 0, width, height), (1e-9, 5e-324, 1, 1.0000000000000002), (width - 1, height - 1, 1, 1)]
    for digits in (0, 1, 2, 6, 17):
        for _ in range(100):
            x, y = chance.uniform(0, width - 2), chance.uniform(0, height - 2)
            sides = (x, y, chance.uniform(1, width - x), chance.uniform(1, height - y))
            found.append(tuple(round(side, digits) for side in sides))  # type: ignore[arg-type]  # four they are
    return found


def test_voc_gives_every_box_back_to_the_bit() -> None:
    boxes = random_boxes(640, 480)
    page = fromstring(texts(voc_layout(manifest_of(*boxes), names=["a.jpg"]))["Annotations/a.xml"])
    corners = [[drawn.findtext(side) or "" for side in voc_zip._CORNERS] for drawn in page.iter("bndbox")]
    back = [voc_zip._sides(four, from_zero=False) for four in corners]

    # Below what the corners' 28 digits hold, nothing is drawn.
    assert [four for four in back if four is not None][3:] == boxes[3:]
    assert back[0] == boxes[0]
    assert back[1] == pytest.approx(boxes[1], abs=1e-18)
    assert all(float(four[0]) >= 1 and float(four[1]) >= 1 for four in corners)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (3, 7), (9999, 4001)])
def test_yolo_gives_every_box_back_within_a_millionth_of_a_pixel(width: int, height: int) -> None:
    boxes = random_boxes(width, height)
    lines = texts(yolo_layout(manifest_of(*boxes, width=width, height=height), names=["a.jpg"]))
    for line, sides in zip(lines["labels/train/a.txt"].splitlines(), boxes, strict=True):
        numbers = [yolo_zip._number(word) for word in line.split()[1:]]
        back, _ = yolo_zip._sides(numbers)
        assert back is not None
        read = [side * whole for side, whole in zip(back, (width, height, width, height), strict=True)]
        assert read == pytest.approx(sides, abs=1e-9)
        assert [round(side, 6) for side in read] == pytest.approx([round(side, 6) for side in sides], abs=1.1e-6)


def test_coco_gives_every_box_back_to_the_bit() -> None:
    boxes = random_boxes(640, 480)
    document = json.loads(texts(coco_layout(manifest_of(*boxes), names=["a.jpg"]))["annotations.json"])
    assert [tuple(box["bbox"]) for box in document["annotations"]] == boxes


def test_voc_refuses_a_class_name_that_xml_cannot_carry() -> None:
    with pytest.raises(CannotBeWritten, match="XML") as caught:
        voc_layout(manifest_of(label="dent\ufffe"), names=["a.jpg"])
    assert "COCO" in caught.value.hint
    assert texts(yolo_layout(manifest_of(label="dent\ufffe"), names=["a.jpg"]))


@pytest.mark.parametrize(
    "name", ["no", "1", "~", "- a", "a: b", "#", "'", '"', "歯車", "&anchor", "*alias", "{x", "\U0001f41e"]
)
def test_yolo_names_stay_names(name: str) -> None:
    data = yaml.safe_load(texts(yolo_layout(manifest_of(label=name), names=["a.jpg"]))["data.yaml"])
    assert data["names"] == {0: name}


def test_names_are_kept_where_they_can_be() -> None:
    given = [("a.jpg", JPEG), ("b.JPEG", JPEG), ("c.bmp", "image/png"), ("d", "image/png"), ("e.f.png", "image/png")]
    assert entry_names(given) == ["a.jpg", "b.JPEG", "c.png", "d.png", "e.f.png"]


def test_no_two_names_share_their_stem() -> None:
    given = ["a.jpg", "A.jpg", "a.jpeg", "x/a.jpg", "a (2).jpg", "ä.jpg", unicodedata.normalize("NFD", "ä.jpg")]
    names = entry_names((name, JPEG) for name in given)

    assert names[:3] == ["a.jpg", "A (2).jpg", "a (3).jpeg"]
    assert len({Path(name).stem.casefold() for name in names}) == len(given)


HOSTILE = ["../../etc/passwd", "/abs.jpg", "C:\\x.jpg", "..", ".hidden.jpg", "con.jpg", "a:b.jpg", "-rf.jpg", "~.jpg"]
HOSTILE += [
    "x" * 255,
    "歯" * 85 + ".jpg",
    "line\u2028break.jpg",
    "tab\u0085.jpg",
    "train.png",
    "readme.jpg",
    " .jpg",
    "a .jpg",
]


def test_no_name_leads_anywhere() -> None:
    for name in entry_names((name, JPEG) for name in HOSTILE):
        stem = Path(name).stem
        assert name == Path(name).name
        assert len(name.encode()) <= 255
        assert stem == stem.strip(" .")
        assert stem.isprintable()
        assert not set(stem) & set('<>:"/\\|?*')
        assert not stem.startswith((".", "-", "~"))
        assert stem.lower() not in {"con", "train", "readme"}


@pytest.mark.parametrize("layout_of", LAYOUTS)
def test_our_own_reader_sees_every_file(layout_of: Any, tmp_path: Path) -> None:
    """None of the names is litter to it, unsafe, or of a kind that it does not know."""
    one = manifest_of((1, 2, 3, 4))
    images = tuple(one.images[0] for _ in HOSTILE)
    whole = Manifest(one.project, one.kind, one.classes, images)
    layout = layout_of(whole, names=entry_names((name, JPEG) for name in HOSTILE))
    problems = Problems()
    with writing(tmp_path / "zip") as archive:
        archive.add_text("myriad.json", sidecar(whole, paths=layout.paths, classes=[ArchiveClass("dent")]))
        count = 1
        for path, data in layout.texts:
            archive.add_text(path, data)
            count += 1
        (tmp_path / "image").write_bytes(b"image")
        for path in layout.paths:
            archive.add_file(path, tmp_path / "image")
    with (tmp_path / "zip").open("rb") as file:
        entries = Entries(file, problems)
    assert (len(entries.texts), len(entries.images), problems.kinds) == (count, len(HOSTILE), {})


def test_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    made = []
    for turn in range(2):
        (tmp_path / "image").write_bytes(b"image" * 1000)
        with writing(tmp_path / f"{turn}.zip") as archive:
            archive.add_text("a.txt", b"text" * 1000)
            archive.add_file("images/ä.jpg", tmp_path / "image")
        made.append((tmp_path / f"{turn}.zip").read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        assert archive.namelist() == ["a.txt", "images/ä.jpg"]
        assert archive.testzip() is None
