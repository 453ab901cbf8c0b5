"""A bundle may be a zip; a hostile one costs neither memory nor a file outside."""

import io
import json
import struct
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from myriad_edge.archives import check_length, open_files
from myriad_edge.bundle import read_bundle
from myriad_edge.errors import BadInput
from tests.clients.edge.bundles import encoded, flat
from tests.clients.edge.conftest import edge, lines, refused

NAMES = ("manifest.json", "model.onnx")


def zipped(bundle: Path, target: Path, *, prefix: str = "", more: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.write(bundle / name, prefix + name)
        for name, data in (more or {}).items():
            archive.writestr(name, data)
    return target


@pytest.mark.parametrize("prefix", ["", "exported/"])
def test_a_zip_runs_as_its_folder_does(prefix: str, bundle: Path, camera: Path, tmp_path: Path) -> None:
    (camera / "red.png").write_bytes(encoded(flat((200, 20, 20))))
    more = {"__MACOSX/manifest.json/x": b"", "README.txt": b"how to"}
    packed = zipped(bundle, tmp_path / "bundle.zip", prefix=prefix, more=more)

    assert edge("run", packed, camera, "--once").code == 0

    assert [line["class"] for line in lines(camera / "results")] == ["red"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.zip", "camera"], (
        "nothing was unpacked"
    )


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/../../b", "..\\evil", "C:/evil", "model.onnx\0.txt"])
def test_hostile_names_are_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    placeholder = "x" * len(name.encode())
    zipped(bundle, packed, more={placeholder: b"evil"})
    # zipfile would tidy some of these names up when it writes them.
    packed.write_bytes(packed.read_bytes().replace(placeholder.encode(), name.encode()))
    refused(packed, "which no bundle has")


@pytest.mark.parametrize("where", ["manifest.json", "other/manifest.json", "model.onnx"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_ambiguous_zip_is_refused(where: str, bundle: Path, tmp_path: Path) -> None:
    refused(zipped(bundle, tmp_path / "bundle.zip", more={where: b"{}"}), "more than one")


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a/b/manifest.json", "{}")
    refused(tmp_path / "other.zip", "holds no manifest.json")


def test_bombs_are_refused_before_they_are_unpacked(bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(bundle / "manifest.json", "manifest.json")
        archive.writestr("model.onnx", bytes(64 << 20))
    assert packed.stat().st_size < 1 << 20
    refused(packed, "another length")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * (33 << 20))
    refused(packed, "more than the 33,554,432 bytes")


def test_a_bomb_that_lies_about_its_length_is_unpacked_no_further_than_told(bundle: Path, tmp_path: Path) -> None:
    packed, size = tmp_path / "bundle.zip", json.loads((bundle / "manifest.json").read_text())["bytes"]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(bundle / "manifest.json", "manifest.json")
        archive.writestr("model.onnx", bytes(64 << 20))
    packed.write_bytes(packed.read_bytes().replace(struct.pack("<I", 64 << 20), struct.pack("<I", size)))
    refused(packed, "model.onnx")


def test_an_endless_directory_is_refused_unread(bundle: Path, tmp_path: Path) -> None:
    many = {f"{number:040}": b"" for number in range(4000)}
    refused(zipped(bundle, tmp_path / "bundle.zip", more=many), "far more than a bundle")


def test_odd_packings_are_refused(bundle: Path, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        for name in NAMES:
            archive.write(bundle / name, name)
    refused(packed, "packed in an unusual way")


def test_damaged_zips_are_refused(bundle: Path, tmp_path: Path) -> None:
    whole = zipped(bundle, tmp_path / "whole.zip").read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(300):
        spoilt = bytearray(whole)
        for place in draw.integers(0, len(whole), 3):
            spoilt[place] = draw.integers(0, 256)
        path = tmp_path / "spoilt.zip"
        path.write_bytes(spoilt[: draw.integers(1, len(whole))] if draw.integers(2) else spoilt)
        try:
            bundle_read = read_bundle(path)
        except BadInput:
            continue
        assert sha256(bundle_read.graph).hexdigest() == bundle_read.manifest.sha256


def test_a_zip_is_never_read_beyond_a_bound(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", bytes(100))
        archive.writestr("model.onnx", bytes(100))
    (tmp_path / "b.zip").write_bytes(buffer.getvalue())
    with open_files(tmp_path / "b.zip") as files:
        assert files.read("model.onnx", 100) == bytes(100)
        with pytest.raises(BadInput, match="more than the 99 bytes"):
            files.read("model.onnx", 99)
    with pytest.raises(BadInput, match="another length"):
        check_length("model.onnx", 5, 10, 6)
