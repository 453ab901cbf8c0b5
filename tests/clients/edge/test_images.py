"""Images become the pixels that the service would make of them, or are refused as it would."""

import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from myriad_edge.decoding import decode
from myriad_edge.errors import BadImage
from tests.clients.edge.bundles import encoded as png
from tests.clients.edge.bundles import flat
from tests.clients.edge.conftest import edge, lines
from tests.workers.children import corpus
from tests.workers.children.corpus import encoded, exif, photo
from workers.children.image_decoding import read_pixels
from workers.children.refusals import Refused

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "WEBP": ("L", "RGB", "RGBA"),
    "JPEG": ("L", "RGB"),
}
GOOD = {f"{form} {mode}": encoded(photo(mode=mode), form) for form, modes in MODES.items() for mode in modes}
GOOD |= {
    f"{form} turned {turn}": encoded(photo(), form, exif=exif(turn))
    for form in ("JPEG", "PNG", "TIFF", "WEBP")
    for turn in range(1, 9)
}
GOOD |= {
    "progressive JPEG": encoded(photo(), "JPEG", progressive=True),
    "PNG with a transparent colour": encoded(photo(mode="P"), "PNG", transparency=3),
    "BMP of which all is transparent": encoded(photo(mode="RGBA"), "BMP").replace(b"\xff" * 4, b"\0" * 4),
    "1 pixel": png(flat((1, 2, 3), width=1, height=1)),
    "1 row": png(flat((1, 2, 3), width=4000, height=1)),
    "1 column": png(flat((1, 2, 3), width=1, height=4000)),
}
BAD = {
    "PNG of 16 bits a channel": corpus.png_sixteen_bit(),
    "PNG of 16 bits": encoded(Image.new("I;16", (64, 48)), "PNG"),
    "TIFF of 16 bits": corpus.tiff(4, 4, bits=16, strip=bytes(32)),
    "TIFF of 16 bits by Pillow": encoded(Image.new("I;16", (64, 48)), "TIFF"),
    "TIFF of floats": encoded(Image.new("F", (64, 48)), "TIFF"),
    "CMYK": encoded(photo(mode="CMYK"), "JPEG"),
    "PNG bomb": corpus.png_bomb(50_000, 50_000),
    "PNG too long": corpus.png_bomb(20_001, 1),
    "WebP bomb": corpus.webp_bomb(),
    "JPEG bomb": corpus.jpeg_with_size(65_000, 65_000),
    "TIFF bomb": corpus.tiff(30_000, 30_000, compression=8, strip=b"x"),
    "JPEG of many scans": corpus.jpeg_of_many_scans(60),
    "JPEG without end": encoded(photo(), "JPEG")[:-2],
    "PNG without end": encoded(photo(), "PNG")[:-12],
    "zip": corpus.zip_file(),
    "animated WebP": corpus.several("WEBP"),
    "animated PNG": corpus.several("PNG"),
    "TIFF of pages": corpus.several("TIFF"),
    "GIF": encoded(photo(), "GIF"),
    "text": b"not a picture",
}


def served(data: bytes) -> npt.NDArray[np.uint8]:
    """What the service's decoder makes of a file."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.flush()
        width, height = read_pixels(source, declared_type=None, target=target)
        target.seek(0)
        return np.frombuffer(target.read(), np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("name", GOOD)
def test_pixels_are_those_of_the_service(name: str) -> None:
    found = decode(GOOD[name])
    assert found.dtype == np.uint8
    assert np.array_equal(found, served(GOOD[name]))


@pytest.mark.parametrize("name", BAD)
def test_what_the_service_refuses_is_refused(name: str) -> None:
    with pytest.raises(Refused) as theirs:
        served(BAD[name])
    with pytest.raises(BadImage) as ours:
        decode(BAD[name])
    same = {"unsupported_type": "not_an_image", "decode_timeout": "too_slow"}
    assert ours.value.code == same.get(theirs.value.code, theirs.value.code)
    assert ours.value.hint


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_a_file_cut_anywhere_is_refused_and_may_heal(form: str) -> None:
    whole = encoded(photo(), form)
    for length in range(0, len(whole) - 2, max(1, len(whole) // 40)):
        with pytest.raises(BadImage) as caught:
            decode(whole[:length])
        assert caught.value.may_heal, caught.value.message


def test_spoilt_files_are_refused_or_decoded_and_nothing_else() -> None:
    draw = np.random.default_rng(0)
    for data in (GOOD["PNG RGB"], GOOD["JPEG RGB"], GOOD["TIFF RGB"], GOOD["WEBP RGB"], GOOD["BMP RGB"]):
        for _ in range(60):
            spoilt = bytearray(data)
            for place in draw.integers(0, min(len(data), 400), 4):
                spoilt[place] = draw.integers(0, 256)
            try:
                pixels = decode(bytes(spoilt))
            except BadImage:
                continue
            assert pixels.ndim == 3


def test_odd_metadata_is_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(encoded(photo(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"))


def test_each_bad_image_gets_one_line_and_the_rest_is_inspected(classifier: Path, camera: Path) -> None:
    deep = np.full((40, 60), 4095, np.uint16)
    (camera / "a_deep.tif").write_bytes(_saved(Image.fromarray(deep), "TIFF"))
    (camera / "b_broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(500))
    (camera / "c_bomb.png").write_bytes(BAD["PNG bomb"])
    (camera / "d_text.bmp").write_bytes(b"not a picture")
    (camera / "e_good.png").write_bytes(png(flat((20, 20, 200))))
    (camera / "notes.txt").write_text("no image")
    (camera / ".hidden.png").write_bytes(b"half")
    (camera / "folder.png").mkdir()
    (camera / "link.png").symlink_to(camera / "nowhere")

    ended = edge("run", classifier, camera, "--once", "--settle", "0.2")

    assert ended.code == 0
    assert "5 images, 4 of them with an error" in ended.err
    told = {line["file"]: line for line in lines(camera / "results")}
    assert {name: line.get("error", {}).get("code") for name, line in told.items()} == {
        "a_deep.tif": "sixteen_bit",
        "b_broken.jpg": "truncated",
        "c_bomb.png": "too_many_pixels",
        "d_text.bmp": "not_an_image",
        "e_good.png": None,
    }
    assert len(told["a_deep.tif"]["sha256"]) == 64
    assert told["e_good.png"]["class"] == "blue"
    again = edge("run", classifier, camera, "--once")
    assert len(lines(camera / "results")) == 5, again.err


@pytest.mark.parametrize(("width", "height"), [(1, 4000), (4000, 1)])
def test_slivers_are_inspected_by_a_real_detector(width: int, height: int, detector: Path, camera: Path) -> None:
    (camera / "sliver.png").write_bytes(png(flat((90, 90, 90), width=width, height=height)))

    ended = edge("run", detector, camera, "--once", "--threshold", "0")

    (line,) = lines(camera / "results")
    assert ended.code == 0
    assert (line["width"], line["height"]) == (width, height)
    assert (camera / "results" / line["drawn"]).exists()


def test_orientation_is_applied_before_the_model_sees_it(classifier: Path, camera: Path) -> None:
    (camera / "turned.jpg").write_bytes(encoded(photo(64, 48), "JPEG", exif=exif(6)))

    edge("run", classifier, camera, "--once")

    (line,) = lines(camera / "results")
    assert (line["width"], line["height"]) == (48, 64)


def _saved(picture: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()
