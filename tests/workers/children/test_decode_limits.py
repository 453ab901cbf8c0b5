"""No file takes over 5 seconds or 512 MB: the largest that are taken, and those that only pretend."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from projects.domain.decoding import MAX_PIXELS, MAX_WEBP_PIXELS, DecodedImage, DecodeFailure
from tests.workers.children import corpus
from workers.children.decode import PATIENCE, DecodeChild
from workers.children.png_writing import write_png
from workers.children.process import ChildProcess

MEGABYTE = 1_000_000


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """(peak resident megabytes, processor seconds) of each child, read as it is ended."""
    figures: list[tuple[float, float]] = []
    end = ChildProcess.kill

    def note_and_end(child: ChildProcess) -> str:
        figures.append((child.peak_resident_bytes() / MEGABYTE, child.cpu_seconds()))
        return end(child)

    monkeypatch.setattr(ChildProcess, "kill", note_and_end)
    return figures


@pytest.fixture(scope="module")
def large() -> Iterator[Image.Image]:
    """40 megapixels of noise and colour, which no encoder can make small."""
    tile = Image.merge("RGB", [Image.effect_noise((1000, 1000), spread) for spread in (20, 30, 40)])
    picture = Image.new("RGB", (8000, 5000))
    for left in range(0, 8000, 1000):
        for top in range(0, 5000, 1000):
            picture.paste(tile, (left, top))
    yield picture
    picture.close()


def jpeg(picture: Image.Image) -> bytes:
    """The most that a JPEG can ask for: all scans kept in memory, full chroma, and turned."""
    return corpus.encoded(picture, "JPEG", quality=95, progressive=True, subsampling=0, exif=corpus.exif(6))


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    write_png(picture, buffer)
    return buffer.getvalue()


def webp(picture: Image.Image) -> bytes:
    return corpus.encoded(picture.crop((0, 0, 6000, 4000)), "WEBP", method=0, quality=30, exif=corpus.exif(6))


ENCODERS: dict[str, Callable[[Image.Image], bytes]] = {
    "image/jpeg": jpeg,
    "image/png": png,
    "image/bmp": lambda picture: corpus.encoded(picture, "BMP"),
    "image/tiff": lambda picture: corpus.encoded(picture, "TIFF", exif=corpus.exif(6)),
    "image/webp": webp,
}


@pytest.mark.parametrize("kind", ENCODERS)
def test_largest_file_of_each_format(
    tmp_path: Path, spent: list[tuple[float, float]], large: Image.Image, kind: str
) -> None:
    (result,) = DecodeChild().decode([corpus.request(tmp_path, "large.x", ENCODERS[kind](large), kind)])
    assert isinstance(result, DecodedImage), result
    assert result.width * result.height == (MAX_WEBP_PIXELS if kind == "image/webp" else MAX_PIXELS)
    ((memory, seconds),) = spent
    assert memory < 512
    assert seconds < PATIENCE.computing


def test_transparent_palette_of_forty_megapixels(tmp_path: Path, spent: list[tuple[float, float]]) -> None:
    """Flattened in strips: two whole copies more would not fit."""
    picture = Image.new("P", (8000, 5000))
    data = corpus.encoded(picture, "PNG", compress_level=1, transparency=b"\x80", exif=corpus.exif(8))
    (result,) = DecodeChild().decode([corpus.request(tmp_path, "large.png", data, "image/png")])
    assert isinstance(result, DecodedImage), result
    ((memory, seconds),) = spent
    assert memory < 512
    assert seconds < PATIENCE.computing


def test_bombs_cost_next_to_nothing(tmp_path: Path, spent: list[tuple[float, float]]) -> None:
    bombs = {
        "bomb.png": (corpus.png_bomb(50_000, 50_000), "image/png"),
        "bit.png": (corpus.png_bomb(19_999, 19_999, depth=1), "image/png"),
        "bomb.jpg": (corpus.jpeg_with_size(65_500, 65_500), "image/jpeg"),
        "progressive.jpg": (corpus.jpeg_with_size(65_500, 65_500, progressive=True), "image/jpeg"),
        "scans.jpg": (corpus.jpeg_of_many_scans(3000), "image/jpeg"),
        "bomb.tiff": (corpus.tiff(50_000, 50_000, compression=8, strip=b"x\x9c" * 50), "image/tiff"),
        "bomb.webp": (corpus.webp_bomb(), "image/webp"),
    }
    batch = [corpus.request(tmp_path, name, data, kind) for name, (data, kind) in bombs.items()]
    results = DecodeChild().decode(batch)
    assert [result.code for result in results if isinstance(result, DecodeFailure)] == [
        *["too_many_pixels"] * 4,
        "decode_timeout",
        *["too_many_pixels"] * 2,
    ]
    ((memory, seconds),) = spent
    assert memory < 150
    assert seconds < 2


def test_header_that_hides_its_size_runs_into_the_limit(tmp_path: Path, spent: list[tuple[float, float]]) -> None:
    """A TIFF with one tile of 60,000 by 60,000 pixels for a picture of 100 by 100: the kernel says no."""
    picture = corpus.tiff(100, 100, compression=8, strip=b"x\x9c" * 50)
    tiles = picture.replace(b"\x11\x01\x04\x00", b"\x42\x01\x04\x00")  # strip offsets become a tile's width
    (result,) = DecodeChild().decode([corpus.request(tmp_path, "tiles.tiff", tiles, "image/tiff")])
    assert isinstance(result, DecodeFailure)
    assert max(memory for memory, _ in spent) < 512
