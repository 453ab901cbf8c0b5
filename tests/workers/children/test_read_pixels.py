"""Stored files become arrays on disk: upright, RGB, of the size on record, whatever the child says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from projects.domain.decoding import DecodedPixels, DecodeFailure, PixelRequest
from tests.workers.children import corpus
from tests.workers.children.corpus import encoded, photo
from tests.workers.children.test_decode_isolation import FRAGILE
from workers.children import decode
from workers.children.decode import DecodeChild
from workers.children.decode_pixels import npy_header
from workers.children.process import Patience

JPEG = encoded(photo(), "JPEG", quality=95)


def request(key: str, data: Path | bytes, **changes: Any) -> PixelRequest:
    usual = {"declared_type": "image/jpeg", "width": 64, "height": 48}
    return PixelRequest(key=key, path=data, **usual | changes)


def read(folder: Path, *batch: PixelRequest, program: Path | None = None) -> list[DecodedPixels | DecodeFailure]:
    child = DecodeChild(program=program) if program else DecodeChild()
    return child.read_pixels(batch, out_dir=folder / "out")


def pixels_of(result: DecodedPixels | DecodeFailure) -> Any:
    assert isinstance(result, DecodedPixels), result
    return np.load(result.path, mmap_mode="r", allow_pickle=False)


def by_pillow(data: bytes) -> Any:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    """From bytes and from a path; colour, grey, and one that has to be turned."""
    files = {
        "jpeg": (JPEG, "image/jpeg"),
        "grey": (encoded(photo(mode="L"), "JPEG"), "image/jpeg"),
        "png": (encoded(photo(), "PNG"), "image/png"),
        "turned": (encoded(photo(48, 64), "JPEG", exif=corpus.exif(6)), "image/jpeg"),
    }
    (tmp_path / "stored").write_bytes(files["png"][0])
    batch = [
        request(name, tmp_path / "stored" if name == "png" else data, declared_type=kind)
        for name, (data, kind) in files.items()
    ]
    results = read(tmp_path, *batch)
    for result, (name, (data, _)) in zip(results, files.items(), strict=True):
        pixels = pixels_of(result)
        assert (pixels.dtype, pixels.shape) == (np.uint8, (48, 64, 3))
        np.testing.assert_array_equal(pixels, by_pillow(data))
        assert isinstance(result, DecodedPixels)
        assert (result.key, result.width, result.height) == (name, 64, 48)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f"{name}.npy" for name in files)


def test_picture_of_several_strips(tmp_path: Path) -> None:
    picture = Image.merge("RGB", [Image.effect_noise((1700, 1300), spread) for spread in (20, 40, 60)])
    (result,) = read(
        tmp_path, request("a", encoded(picture, "PNG"), declared_type="image/png", width=1700, height=1300)
    )
    np.testing.assert_array_equal(pixels_of(result), np.asarray(picture))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (640, 480), (20_000, 2_000)])
def test_header_is_numpys_own(width: int, height: int) -> None:
    theirs = io.BytesIO()
    np.lib.format.write_array_header_1_0(theirs, {"descr": "|u1", "fortran_order": False, "shape": (height, width, 3)})
    ours = npy_header(width, height)
    assert len(ours) % 64 == 0
    assert np.lib.format.read_array_header_1_0(io.BytesIO(ours[8:])) == ((height, width, 3), False, np.dtype("u1"))
    assert ours == theirs.getvalue()


BAD: list[tuple[bytes, str, dict[str, Any]]] = [
    (JPEG, "size_mismatch", {"width": 63}),
    (JPEG, "size_mismatch", {"width": 48, "height": 64}),
    (b"", "empty_file", {}),
    (JPEG[:-20], "truncated", {}),
    (JPEG, "type_mismatch", {"declared_type": "image/png"}),
    (b"hello", "not_an_image", {}),
    (corpus.png_bomb(50_000, 50_000), "too_many_pixels", {"declared_type": "image/png"}),
    (JPEG + b"!!SEGFAULT", "decode_crashed", {}),
    (JPEG + b"!!!!!SLEEP", "decode_timeout", {}),
    (JPEG + b"!!!!!HOARD", "decode_memory", {}),
    (JPEG + b"!!!!!!!LIE", "size_mismatch", {}),
    (JPEG + b"!!!!!!!LIE", "decode_crashed", {"width": 640, "height": 480}),
    (JPEG + b"!OTHERFILE", "decode_crashed", {}),
]


def test_bad_files_are_results_and_cost_only_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "PATIENCE", Patience(computing=0.5, idle=1, overall=60))
    batch = [request(f"bad-{number}", data, **changes) for number, (data, _, changes) in enumerate(BAD)]
    first, *bad, last = read(tmp_path, request("first", JPEG), *batch, request("last", JPEG), program=FRAGILE)
    for result, (_, code, _) in zip(bad, BAD, strict=True):
        assert isinstance(result, DecodeFailure)
        assert result.code == code
        assert result.message.startswith("The file ")
        assert result.hint.endswith(".")
    np.testing.assert_array_equal(pixels_of(first), pixels_of(last))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first.npy", "last.npy"]


def test_should_stop_leaves_the_rest_untouched(tmp_path: Path) -> None:
    asked: list[int] = []
    batch = [request(str(number), JPEG) for number in range(4)]
    results = DecodeChild().read_pixels(
        batch,
        out_dir=tmp_path,
        should_stop=lambda: asked.append(1) or len(asked) > 2,  # type: ignore[func-returns-value]  # append is called for its effect
    )
    assert [result.key for result in results] == ["0", "1"]


def test_unfit_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unfit key"):
        read(tmp_path, request("../a", JPEG))
