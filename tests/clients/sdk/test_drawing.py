"""Boxes on pictures: what they show stays free, they show on any ground, and labels can be read."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from myriad import Found, Prediction, ValidationFailed
from myriad.drawing import Mark, class_colors, draw_marks, draw_prediction, open_picture, save_picture

RED = "#ff5252"


def pixels(picture: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(picture)


def flat(size: tuple[int, int], grey: int = 128) -> Image.Image:
    return Image.new("RGB", size, (grey, grey, grey))


def coloured(picture: Image.Image, color: str) -> tuple[int, int, int, int]:
    """The left, top, right and bottom pixel that has the colour."""
    rgb = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    rows, columns = np.nonzero((pixels(picture) == rgb).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_line_lies_around_the_box_and_hides_nothing_of_it() -> None:
    drawn = draw_marks(flat((800, 600)), [Mark((100, 200, 50, 30), RED)])
    assert (pixels(drawn)[200:230, 100:150] == 128).all()
    left, top, right, bottom = coloured(drawn, RED)
    assert (left, right, top, bottom) == (97, 152, 197, 232)  # 2 pixels of line after 1 of rim
    assert pixels(drawn)[210, 99].tolist() == pixels(drawn)[210, 96].tolist() == [16, 16, 16]


@pytest.mark.parametrize("grey", [0, 255])
def test_line_shows_on_any_ground(grey: int) -> None:
    drawn = draw_marks(flat((800, 600), grey), [Mark((100, 200, 50, 30), "#ffffff" if grey else "#101010")])
    assert len({tuple(pixel) for pixel in pixels(drawn)[210, 90:100].tolist()}) >= 2


def test_small_picture_is_enlarged_and_a_large_one_is_not() -> None:
    assert draw_marks(flat((64, 48)), []).size == (640, 480)
    assert draw_marks(flat((200, 200)), []).size == (800, 800)
    assert draw_marks(flat((4000, 3000)), []).size == (4000, 3000)


def test_boxes_are_enlarged_with_the_picture() -> None:
    left, top, right, bottom = coloured(draw_marks(flat((64, 48)), [Mark((10, 20, 6, 4), RED)]), RED)
    assert (left, top, right, bottom) == (97, 197, 162, 242)


def test_line_is_as_wide_as_the_picture_needs() -> None:
    left, *_ = coloured(draw_marks(flat((4000, 3000)), [Mark((1000, 1000, 500, 500), RED)]), RED)
    assert left == 1000 - 15


@pytest.mark.parametrize(
    "bbox", [(0, 0, 800, 600), (-50, -50, 1000, 1000), (0, 0, 1, 1), (799, 599, 1, 1), (900, 5, 9, 9)]
)
def test_box_at_the_edge_is_drawn_where_it_can_be_seen(bbox: tuple[float, ...]) -> None:
    drawn = draw_marks(flat((800, 600)), [Mark(bbox, RED, "a label")])
    left, top, right, bottom = coloured(drawn, RED)
    assert 0 <= left < right <= 799
    assert 0 <= top < bottom <= 599


def test_picture_that_was_given_stays_as_it_was() -> None:
    picture = flat((800, 600))
    draw_marks(picture, [Mark((100, 200, 50, 30), RED, "dent")])
    assert (pixels(picture) == 128).all()


def test_labels_hide_neither_each_other_nor_a_box() -> None:
    """Four defects side by side, each label wider than its box."""
    colors = class_colors("abcd")
    marks = [Mark((300 + 30 * place, 300, 20, 20), colors[name], "discoloration") for place, name in enumerate("abcd")]
    left, _, right, _ = coloured(draw_marks(flat((800, 600)), [Mark((300, 300, 20, 20), RED, "discoloration")]), RED)
    assert right - left > 100
    drawn = draw_marks(flat((800, 600)), marks)
    areas = {}
    for mark in marks:
        rgb = [int(mark.color[start : start + 2], 16) for start in (1, 3, 5)]
        areas[mark.color] = int((pixels(drawn) == rgb).all(axis=2).sum())
        x, y, w, h = (int(side) for side in mark.bbox)
        assert (pixels(drawn)[y : y + h, x : x + w] == 128).all()
    assert max(areas.values()) - min(areas.values()) < 60  # none is covered by another


def test_label_is_written_dark_on_light_and_light_on_dark() -> None:
    for color, ink in (("#ffd740", 0), ("#1a237e", 255)):
        drawn = pixels(draw_marks(flat((800, 600)), [Mark((300, 300, 20, 20), color, "MMM")]))
        assert (drawn[270:300, 300:340] == ink).all(axis=2).sum() > 20


def test_classes_have_colours_of_their_own() -> None:
    names = [f"class {number}" for number in range(40)]
    colors = class_colors(names)
    assert len(set(colors.values())) == 40
    assert class_colors(names) == colors
    assert all(len(color) == 7 for color in colors.values())


def test_prediction_is_drawn_with_class_and_score() -> None:
    found = (Found(name="dent", score=0.913, bbox=(100, 200, 50, 30)), Found(name="new", score=0.4, bbox=(5, 5, 9, 9)))
    prediction = Prediction(model="m", width=800, height=600, predictions=found)
    drawn = draw_prediction(flat((800, 600)), prediction, {"dent": RED})
    by_hand = draw_marks(
        flat((800, 600)), [Mark(found[0].bbox, RED, "dent 0.91"), Mark(found[1].bbox, "#e0e0e0", "new 0.40")]
    )
    assert (pixels(drawn) == pixels(by_hand)).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK", "I;16", "LA"])
def test_pictures_of_any_kind_are_read_as_rgb(mode: str, tmp_path: Path) -> None:
    grey = Image.fromarray(np.linspace(0, 255, 120 * 90).reshape(90, 120).astype(np.uint8))
    picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 16) if mode == "I;16" else grey.convert(mode)
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    picture.save(path)
    read = pixels(open_picture(path))
    assert read.shape == (90, 120, 3)
    assert (int(read.min()), int(read.max())) == (0, 255)


def test_picture_is_read_upright() -> None:
    """Boxes are of the upright picture, whatever the camera held."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    data = io.BytesIO()
    flat((80, 60)).save(data, "JPEG", exif=exif)
    assert open_picture(data.getvalue()).size == (60, 80)


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="The picture cannot be opened"):
        open_picture(b"no picture")
    with pytest.raises(ValidationFailed, match="none\\.png cannot be opened"):
        open_picture(tmp_path / "none.png")


def test_picture_is_saved_by_its_ending(tmp_path: Path) -> None:
    assert save_picture(flat((8, 6)), tmp_path / "new" / "a.png").read_bytes().startswith(b"\x89PNG")
    assert save_picture(flat((8, 6)), tmp_path / "a.JPG").read_bytes().startswith(b"\xff\xd8")
    for name in ("a.xyz", "a", "a.pdfx"):
        with pytest.raises(ValidationFailed, match="does not end like a picture"):
            save_picture(flat((8, 6)), tmp_path / name)
    with pytest.raises(ValidationFailed, match="cannot be written"):
        save_picture(flat((8, 6)), tmp_path / "a.JPG" / "b.png")


def test_without_pillow_it_says_what_to_install() -> None:
    script = """
import sys
sys.modules["PIL"] = None
import myriad
try:
    import myriad.drawing
except myriad.MyriadError as error:
    print(error.code, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "no_pillow Install it with: pip install 'myriad[draw]'.\n"
