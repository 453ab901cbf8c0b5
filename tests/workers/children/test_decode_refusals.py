"""Each kind of bad file gets its own code, a sentence and a hint, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from projects.domain.decoding import DecodeCode, DecodedImage, DecodeFailure
from tests.workers.children import corpus
from tests.workers.children.corpus import encoded, photo
from workers.children.decode import DecodeChild

JPEG = encoded(photo(640, 480), "JPEG")
PNG = encoded(photo(640, 480), "PNG")
WEBP = encoded(photo(640, 480), "WEBP")
TIFF = encoded(photo(640, 480), "TIFF")
BMP = encoded(photo(640, 480), "BMP")
HTML = b"<!DOCTYPE html><html><body>Not found</body></html>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

CASES: list[tuple[str, bytes, str, str]] = [
    ("zero.jpg", b"", "image/jpeg", "empty_file"),
    ("half.jpg", JPEG[: len(JPEG) // 2], "image/jpeg", "truncated"),
    ("no_end.jpg", JPEG[:-2], "image/jpeg", "truncated"),
    ("header_only.jpg", JPEG[:300], "image/jpeg", "truncated"),
    ("half.png", PNG[: len(PNG) // 2], "image/png", "truncated"),
    ("no_end.png", PNG[:-12], "image/png", "truncated"),
    ("tiny.png", PNG[:20], "image/png", "truncated"),
    ("half.webp", WEBP[: len(WEBP) // 2], "image/webp", "truncated"),
    ("half.tiff", TIFF[: len(TIFF) // 2], "image/tiff", "truncated"),
    ("half.bmp", BMP[: len(BMP) // 2], "image/bmp", "truncated"),
    ("damaged.png", PNG[:100] + bytes(len(PNG) - 112) + PNG[-12:], "image/png", "truncated"),
    ("photo.jpg", PNG, "image/jpeg", "type_mismatch"),
    ("photo.gif", PNG, "image/gif", "type_mismatch"),
    ("deep.png", corpus.png_sixteen_bit(), "image/png", "sixteen_bit"),
    ("grey16.png", encoded(Image.new("I;16", (64, 48)), "PNG"), "image/png", "sixteen_bit"),
    ("deep.tiff", corpus.tiff(4, 4, bits=16, strip=bytes(32)), "image/tiff", "sixteen_bit"),
    ("float.tiff", encoded(Image.new("F", (64, 48)), "TIFF"), "image/tiff", "sixteen_bit"),
    ("print.jpg", encoded(photo(mode="CMYK"), "JPEG"), "image/jpeg", "cmyk"),
    ("print.tiff", encoded(photo(mode="CMYK"), "TIFF"), "image/tiff", "cmyk"),
    ("lab.tiff", encoded(Image.new("LAB", (64, 48)), "TIFF"), "image/tiff", "unsupported_type"),
    ("moves.png", corpus.several("PNG"), "image/png", "animated"),
    ("moves.webp", corpus.several("WEBP"), "image/webp", "animated"),
    ("pages.tiff", corpus.several("TIFF"), "image/tiff", "animated"),
    ("moves.gif", corpus.several("GIF"), "image/png", "unsupported_type"),
    ("photo.heic", b"\0\0\0\x18ftypheic" + bytes(40), "image/jpeg", "unsupported_type"),
    ("photo.avif", encoded(photo(), "AVIF"), "image/jpeg", "unsupported_type"),
    ("drawing.jpg", SVG, "image/jpeg", "unsupported_type"),
    ("page.jpg", HTML, "image/jpeg", "not_an_image"),
    ("archive.jpg", corpus.zip_file(), "image/jpeg", "not_an_image"),
    ("text.jpg", b"hello\n" * 20, "image/jpeg", "not_an_image"),
    ("noise.jpg", bytes(range(256)) * 4, "image/jpeg", "not_an_image"),
    ("magic.jpg", b"\xff\xd8\xff\xd9", "image/jpeg", "not_an_image"),
    ("magic.bmp", b"BMW is a make of car, not an image.", "image/bmp", "not_an_image"),
    ("magic.tiff", b"II*\0" + bytes(100), "image/tiff", "not_an_image"),
    ("flat.png", corpus.png_bomb(0, 100), "image/png", "too_narrow"),
    ("wide.png", corpus.png_bomb(20_001, 10), "image/png", "too_many_pixels"),
    ("bomb.png", corpus.png_bomb(50_000, 50_000), "image/png", "too_many_pixels"),
    ("bomb.jpg", corpus.jpeg_with_size(65_500, 65_500), "image/jpeg", "too_many_pixels"),
    ("bomb2.jpg", corpus.jpeg_with_size(65_500, 65_500, progressive=True), "image/jpeg", "too_many_pixels"),
    (
        "bomb.tiff",
        corpus.tiff(50_000, 50_000, compression=8, strip=b"x\x9c"),
        "image/tiff",
        "too_many_pixels",
    ),
    ("bomb.webp", corpus.webp_bomb(), "image/webp", "too_many_pixels"),
    ("scans.jpg", corpus.jpeg_of_many_scans(1000), "image/jpeg", "decode_timeout"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All the bad files as one batch with a good one at the end, through one child."""
    folder = tmp_path_factory.mktemp("bad")
    batch = [corpus.request(folder, name, data, kind) for name, data, kind, _ in CASES]
    batch.append(corpus.request(folder, "good.jpg", JPEG, "image/jpeg"))
    results = DecodeChild().decode(batch)
    return {"results": {result.key: result for result in results}, "folder": folder}


@pytest.mark.parametrize(("name", "code"), [(name, code) for name, _, _, code in CASES])
def test_bad_file_gets_its_code(outcomes: dict[str, Any], name: str, code: str) -> None:
    result = outcomes["results"][name.replace(".", "_")]
    assert isinstance(result, DecodeFailure)
    assert result.code == code, result
    assert result.message.startswith(f"{name} ")
    assert result.hint.endswith(".")


def test_bad_files_leave_nothing_and_do_not_disturb_the_good_one(outcomes: dict[str, Any]) -> None:
    assert isinstance(outcomes["results"]["good_jpg"], DecodedImage)
    left = sorted(path.name for path in (outcomes["folder"] / "out").iterdir())
    assert left == ["good_jpg.jpg", "good_jpg.thumbnail.webp"]


def test_mislabelled_file_is_told_what_it_is(outcomes: dict[str, Any]) -> None:
    result = outcomes["results"]["photo_jpg"]
    assert result.message == "photo.jpg is a PNG, but was declared image/jpeg"
    assert result.hint == "Rename it to .png, or declare image/png."


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"declared_size": 5}, DecodeCode.SIZE_MISMATCH),
        ({"declared_sha256": "0" * 64}, DecodeCode.HASH_MISMATCH),
    ],
)
def test_other_bytes_than_announced(tmp_path: Path, changes: dict[str, Any], code: DecodeCode) -> None:
    (result,) = DecodeChild().decode([corpus.request(tmp_path, "a.jpg", JPEG, "image/jpeg", **changes)])
    assert isinstance(result, DecodeFailure)
    assert result.code == code


def test_every_truncation_and_bit_flip_is_a_result(tmp_path: Path) -> None:
    """Whatever a file is cut or changed to: an image or a refusal, and the child lives on."""
    files = {
        "image/jpeg": encoded(photo(48, 32), "JPEG"),
        "image/png": encoded(photo(48, 32, "P"), "PNG"),
        "image/tiff": encoded(photo(48, 32), "TIFF", compression="tiff_lzw"),
        "image/webp": encoded(photo(48, 32), "WEBP"),
    }
    batch = []
    for kind, data in files.items():
        for step in range(1, 25):
            place = len(data) * step // 25
            name = f"{kind[6:]}{step}"
            batch.append(corpus.request(tmp_path, f"{name}_cut", data[:place], kind))
            flipped = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            batch.append(corpus.request(tmp_path, f"{name}_flip", flipped, kind))
    results = DecodeChild().decode(batch)
    assert len(results) == len(batch)
    for result in results:
        if result.key.endswith("_cut"):
            assert isinstance(result, DecodeFailure), result
        if isinstance(result, DecodeFailure):
            assert result.code not in {DecodeCode.DECODE_CRASHED, DecodeCode.DECODE_MEMORY}, result
