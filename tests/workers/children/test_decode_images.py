"""Good files come out upright, clean, in one of two formats, and always the same."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from projects.domain.decoding import DecodedImage, DecodeResult
from tests.workers.children import corpus
from tests.workers.children.corpus import encoded, exif, photo
from workers.children.decode import DecodeChild

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "TIFF": "image/tiff", "WEBP": "image/webp", "BMP": "image/bmp"}


def decode_all(folder: Path, files: dict[str, tuple[bytes, str]]) -> dict[str, DecodedImage]:
    batch = [corpus.request(folder, name, data, kind) for name, (data, kind) in files.items()]
    return {name: good(result) for name, result in zip(files, DecodeChild().decode(batch), strict=True)}


def decode_one(folder: Path, name: str, data: bytes, kind: str) -> DecodedImage:
    return decode_all(folder, {name: (data, kind)})[name]


def good(result: DecodeResult) -> DecodedImage:
    assert isinstance(result, DecodedImage), result
    return result


def pixels(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture.copy()


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any channel of any pixel."""
    assert one.size == other.size
    extrema: Any = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getextrema()
    return max(int(high) for _, high in extrema)


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """What is left to compare of JPEGs: edges of colour differ more, single pixels mean nothing."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_all_eight_orientations_are_undone(tmp_path: Path, form: str) -> None:
    """The reference is Pillow's own transposition of the same file."""
    options: dict[str, Any] = {"quality": 95} if form == "JPEG" else {"lossless": form == "WEBP"}
    files = {
        f"{orientation}.x": (encoded(photo(), form, exif=exif(orientation), **options), KINDS[form])
        for orientation in range(1, 9)
    }
    results = decode_all(tmp_path, files)
    for orientation, (name, (data, _)) in enumerate(files.items(), start=1):
        result = results[name]
        assert result.orientation_applied == orientation
        assert (result.width, result.height) == ((64, 48) if orientation < 5 else (48, 64))
        stored = pixels(result.stored_path)
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        assert (mean_difference if form == "JPEG" else difference)(stored, expected) <= (2 if form == "JPEG" else 0)
        assert stored.getexif().get(0x0112) is None


MODES = [
    ("JPEG", "L", "L"),
    ("JPEG", "RGB", "RGB"),
    ("PNG", "1", "L"),
    ("PNG", "L", "L"),
    ("PNG", "P", "RGB"),
    ("PNG", "RGB", "RGB"),
    ("TIFF", "1", "L"),
    ("TIFF", "YCbCr", "RGB"),
    ("BMP", "L", "L"),
    ("BMP", "RGB", "RGB"),
    ("WEBP", "RGB", "RGB"),
]


def test_modes_become_grey_or_colour(tmp_path: Path) -> None:
    files = {
        f"{form}_{mode}.x": (
            encoded(photo(mode=mode), form, **({"lossless": True} if form == "WEBP" else {})),
            KINDS[form],
        )
        for form, mode, _ in MODES
    }
    results = decode_all(tmp_path, files)
    for form, mode, stored_mode in MODES:
        data, result = files[f"{form}_{mode}.x"][0], results[f"{form}_{mode}.x"]
        stored = pixels(result.stored_path)
        assert stored.mode == stored_mode
        assert result.stored_type == ("image/jpeg" if form == "JPEG" else "image/png")
        original = Image.open(io.BytesIO(data)).convert("RGB")
        assert (mean_difference if form == "JPEG" else difference)(stored, original) <= 2


def test_transparency_is_flattened_on_white(tmp_path: Path) -> None:
    picture = photo(mode="RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    palette = picture.quantize(16)
    grey = picture.convert("LA")
    white = Image.new("RGBA", picture.size, "white")
    files = {
        f"{name}.png": (encoded(source, "PNG"), "image/png")
        for name, source in {"rgba": picture, "palette": palette, "grey": grey}.items()
    }
    results = decode_all(tmp_path, files)
    for name, (data, _) in files.items():
        expected = Image.alpha_composite(white, Image.open(io.BytesIO(data)).convert("RGBA"))
        assert difference(pixels(results[name].stored_path), expected) <= 1
    assert pixels(results["grey.png"].stored_path).mode == "L"


def test_alpha_that_nobody_wrote_is_ignored(tmp_path: Path) -> None:
    """Some cameras' 32-bit files leave the fourth byte zero; the picture is not to come out white."""
    picture = photo(mode="RGBA")
    picture.putalpha(0)
    result = decode_one(tmp_path, "a.png", encoded(picture, "PNG"), "image/png")
    assert difference(pixels(result.stored_path), photo()) == 0


def test_position_serial_comment_profile_and_tail_are_dropped(tmp_path: Path) -> None:
    profile = b"ICC-PROFILE-BYTES" * 20
    plain = {"exif": exif(1, gps=True), "icc_profile": profile}
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>XMP-MARK</x:xmpmeta>"
    files = {
        "a.jpg": (encoded(photo(), "JPEG", comment=b"COMMENT-MARK", xmp=xmp, **plain), "image/jpeg"),
        "a.png": (encoded(photo(), "PNG", **plain), "image/png"),
        "a.webp": (encoded(photo(), "WEBP", xmp=xmp, **plain), "image/webp"),
        "a.tiff": (encoded(photo(), "TIFF", **plain), "image/tiff"),
    }
    files = {name: (data + corpus.zip_file(), kind) for name, (data, kind) in files.items()}
    results = decode_all(tmp_path, files)
    for name, (data, _) in files.items():
        assert corpus.GPS_MARK in data
        for path in (results[name].stored_path, results[name].thumbnail_path):
            kept = path.read_bytes()
            for mark in (corpus.GPS_MARK, b"Exif", b"ICC", b"COMMENT-MARK", b"XMP-MARK", b"evil.sh", b"PK\x03\x04"):
                assert mark not in kept, (name, mark)


def test_picture_behind_the_picture_is_ignored(tmp_path: Path) -> None:
    """Phones append a second JPEG (depth, brightness) and announce it (MPO): still one photo."""
    data = encoded(photo(), "MPO", save_all=True, append_images=[photo(32, 24)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    result = decode_one(tmp_path, "phone.jpg", data, "image/jpeg")
    assert (result.width, result.height) == (64, 48)
    assert len(result.stored_path.read_bytes()) < len(data)


def test_jpeg_keeps_its_tables_and_an_rgb_jpeg_its_colours(tmp_path: Path) -> None:
    files = {
        "low.jpg": (encoded(photo(640, 480), "JPEG", quality=60, subsampling=1), "image/jpeg"),
        "rgb.jpg": (encoded(photo(640, 480), "JPEG", quality=95, keep_rgb=True), "image/jpeg"),
        "progressive.jpg": (encoded(photo(640, 480), "JPEG", progressive=True), "image/jpeg"),
    }
    results = decode_all(tmp_path, files)
    source: Any = Image.open(io.BytesIO(files["low.jpg"][0]))
    stored: Any = Image.open(io.BytesIO(results["low.jpg"].stored_path.read_bytes()))
    assert stored.quantization == source.quantization
    assert stored.layer[0][1:3] == source.layer[0][1:3]
    for name, (data, _) in files.items():
        assert mean_difference(pixels(results[name].stored_path), Image.open(io.BytesIO(data))) <= 2


def test_aliases_of_types_are_understood(tmp_path: Path) -> None:
    files = {
        "a.jpg": (encoded(photo(), "JPEG"), "image/jpg"),
        "a.bmp": (encoded(photo(), "BMP"), "image/x-ms-bmp"),
        "a.tif": (encoded(photo(), "TIFF"), "image/tif"),
    }
    assert len(decode_all(tmp_path, files)) == 3


def test_hashes_sizes_and_bytes_are_those_of_the_files(tmp_path: Path) -> None:
    data = encoded(photo(640, 480), "PNG")
    result = decode_one(tmp_path, "a.png", data, "image/png")
    stored, thumbnail = result.stored_path.read_bytes(), result.thumbnail_path.read_bytes()
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    assert result.stored_sha256 == hashlib.sha256(stored).hexdigest()
    assert result.thumbnail_sha256 == hashlib.sha256(thumbnail).hexdigest()
    assert (result.stored_size, result.thumbnail_size) == (len(stored), len(thumbnail))
    with Image.open(result.thumbnail_path) as small:
        assert (small.format, small.size) == ("WEBP", (320, 240))


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    files = {f"{form}.x": (encoded(photo(640, 480), form), kind) for form, kind in KINDS.items()}
    runs = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        results = decode_all(tmp_path / folder, files).values()
        runs.append([(result.stored_sha256, result.thumbnail_sha256, result.near_hash) for result in results])
    assert runs[0] == runs[1]


def test_near_hash_is_near_for_a_paler_and_smaller_copy_and_far_for_another(tmp_path: Path) -> None:
    picture = photo(640, 480)
    copy = picture.resize((300, 225)).point(lambda value: int(value * 0.8 + 30))
    other = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(90)
    files = {
        name: (encoded(source, "JPEG", quality=80), "image/jpeg")
        for name, source in {"a.jpg": picture, "b.jpg": copy, "c.jpg": other}.items()
    }
    hashes = {name: int(result.near_hash, 16) for name, result in decode_all(tmp_path, files).items()}
    assert (hashes["a.jpg"] ^ hashes["b.jpg"]).bit_count() <= 4
    assert (hashes["a.jpg"] ^ hashes["c.jpg"]).bit_count() >= 12


def test_near_hash_is_pinned(tmp_path: Path) -> None:
    """Rows keep it: another way to compute it would need a migration of all of them."""
    result = decode_one(tmp_path, "a.png", encoded(photo(640, 480), "PNG"), "image/png")
    assert result.near_hash == "8b8b002404030000"


def test_thin_images_are_taken(tmp_path: Path) -> None:
    sizes = [(1, 1), (1, 4000), (4000, 1), (9, 8), (321, 2)]
    files = {
        f"{width}_{height}.png": (encoded(photo(400, 400).resize((width, height)), "PNG"), "image/png")
        for width, height in sizes
    }
    results = decode_all(tmp_path, files)
    for size, result in zip(sizes, results.values(), strict=True):
        assert (result.width, result.height) == size
        assert max(pixels(result.thumbnail_path).size) == min(320, max(size))


def test_written_png_is_what_other_readers_expect(tmp_path: Path) -> None:
    """Chunks, check sums and the one filter, read without Pillow."""
    picture = photo(37, 29)
    result = decode_one(tmp_path, "a.bmp", encoded(picture, "BMP"), "image/bmp")
    data, position, packed = result.stored_path.read_bytes(), 8, b""
    while position < len(data):
        size, name = struct.unpack("!I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + size]
        assert struct.pack("!I", zlib.crc32(name + body)) == data[position + 8 + size : position + 12 + size]
        packed += body if name == b"IDAT" else b""
        position += 12 + size
    rows = zlib.decompress(packed)
    row, above, out = 37 * 3 + 1, bytes(37 * 3), b""
    for start in range(0, len(rows), row):
        assert rows[start] == 2
        above = bytes((a + b) % 256 for a, b in zip(rows[start + 1 : start + row], above, strict=True))
        out += above
    assert out == picture.tobytes()


def test_grey_png_of_several_strips_is_exact(tmp_path: Path) -> None:
    picture = Image.effect_noise((1500, 1500), 60)
    result = decode_one(tmp_path, "a.tiff", encoded(picture, "TIFF", compression="tiff_lzw"), "image/tiff")
    assert difference(pixels(result.stored_path), picture) == 0


def test_result_is_frozen(tmp_path: Path) -> None:
    result = decode_one(tmp_path, "a.png", encoded(photo(), "PNG"), "image/png")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.width = 1  # type: ignore[misc]  # that it cannot be set is what is tested
