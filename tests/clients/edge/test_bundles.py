"""A bundle is whole, is what its manifest says, and computes here what was evaluated, or nothing starts."""

import base64
import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from myriad_edge.bundle import read_bundle
from myriad_edge.errors import BadInput
from myriad_edge.manifest import read_manifest
from tests.clients.edge.bundles import encoded, flat
from tests.clients.edge.conftest import edge, refused

NAMES = ("manifest.json", "model.onnx")


def change(bundle: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Edit the manifest."""
    path = bundle / "manifest.json"
    document = json.loads(path.read_text())
    how(document)
    path.write_text(json.dumps(document))


def test_a_changed_model_is_refused_before_an_image_is_read(bundle: Path, camera: Path) -> None:
    (camera / "red.png").write_bytes(encoded(flat((200, 20, 20))))
    data = bytearray((bundle / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(data)

    ended = edge("run", bundle, camera, "--once")

    assert ended.code == 2
    assert "is not the one that manifest.json was written for" in ended.err
    assert "copy the bundle again" in ended.err
    assert not (camera / "results").exists()


def test_a_model_cut_short_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes()[:-1])
    refused(bundle, "another length", "again")


def test_a_model_that_answers_otherwise_is_refused(bundle: Path) -> None:
    """Its hash is right: only the parity images find it."""
    model = onnx.load(bundle / "model.onnx")
    for stored in model.graph.initializer:
        if stored.name == "twenty":
            stored.CopyFrom(numpy_helper.from_array(np.array(40, np.float32), "twenty"))
    data = model.SerializeToString()
    (bundle / "model.onnx").write_bytes(data)
    change(bundle, lambda manifest: manifest.update(sha256=sha256(data).hexdigest(), bytes=len(data)))
    refused(bundle, "does not answer as it was evaluated: parity image 1 of 2", "onnxruntime")


def test_each_parity_image_counts(bundle: Path) -> None:
    change(bundle, lambda manifest: manifest["parity"]["images"][1]["probabilities"].__setitem__(0, 0.5))
    refused(bundle, "parity image 2 of 2")


def test_a_detectors_parity_is_its_boxes(detector: Path, bundle: Path) -> None:
    for name in NAMES:
        (bundle / name).write_bytes((detector / name).read_bytes())
    assert edge("check", bundle).code == 0
    change(bundle, lambda manifest: manifest["parity"]["images"][0]["boxes"][0].__setitem__(0, 999))
    refused(bundle, "parity image 1 of 2")


def test_a_parity_image_goes_through_the_decoder(bundle: Path) -> None:
    deep = base64.b64encode(b"GIF89a").decode()
    change(bundle, lambda manifest: manifest["parity"]["images"][0].update(png_base64=deep))
    refused(bundle, "Parity image 1 of 2 is not an image")


def test_what_is_no_graph_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"nonsense")
    change(bundle, lambda manifest: manifest.update(sha256=sha256(b"nonsense").hexdigest(), bytes=8))
    refused(bundle, "cannot be loaded")


def test_a_graph_of_another_kind_is_refused(bundle: Path) -> None:
    def pretend(manifest: dict[str, Any]) -> None:
        manifest.update(kind="ANOMALY", threshold=0.5)
        manifest["parity"]["tolerance"] = {"score": 1e-3}

    change(bundle, pretend)
    refused(bundle, "does not give heat, score")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": 2}, "is of format 2"),
        ({"kind": "SEGMENTATION"}, "'SEGMENTATION'; this program knows DETECTION, CLASSIFICATION, ANOMALY"),
        ({"kind": 3}, '"kind"'),
        ({"classes": []}, "names no classes"),
        ({"classes": ["a", "a"]}, "twice"),
        ({"classes": [1]}, '"classes"'),
        ({"sha256": "ABC"}, "no SHA-256"),
        ({"sha256": "0" * 64}, "is not the one"),
        ({"bytes": True}, "no possible length"),
        ({"bytes": 1 << 40}, "no possible length"),
        ({"bytes": 5}, "more than|another length"),
        ({"threshold": 10**400}, '"threshold"'),
        ({"parity": None}, '"parity"'),
        ({"parity": {"tolerance": {}, "images": []}}, "no parity images"),
        ({"parity": {"tolerance": {}, "images": [{}]}}, "not base64"),
        ({"parity": {"tolerance": {}, "images": [{"png_base64": "AAAA"}]}}, "no tolerance for probabilities"),
        ({"parity": {"tolerance": {"probabilities": -1}, "images": []}}, "below zero"),
        ({"parity": {"tolerance": {"probabilities": "1"}, "images": []}}, "finite number"),
        ({"model": []}, '"model"'),
    ],
)
def test_a_manifest_of_no_sense_is_refused(fields: dict[str, Any], words: str, bundle: Path) -> None:
    from myriad_edge.inspector import Inspector

    change(bundle, lambda manifest: manifest.update(fields))
    with pytest.raises(BadInput, match=words) as caught:
        Inspector(read_bundle(bundle), threads=1, threshold=None)
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"format": 1, "threshold": NaN}',
        b'{"format": 1e999}',
        b"9" * 9999,
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="manifest"):
        read_manifest(data)


def test_an_anomaly_bundle_needs_a_threshold(anomaly: Path, bundle: Path) -> None:
    for name in NAMES:
        (bundle / name).write_bytes((anomaly / name).read_bytes())
    change(bundle, lambda manifest: manifest.pop("threshold"))
    refused(bundle, "gives no threshold")


@pytest.mark.parametrize("missing", NAMES)
def test_both_files_must_be_there(missing: str, bundle: Path, tmp_path: Path) -> None:
    (bundle / missing).unlink()
    refused(bundle, missing, "A bundle is a folder or a .zip")


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no zip")
    os.mkfifo(tmp_path / "pipe")
    for name in ("nothing", "notes.txt", "pipe"):
        refused(tmp_path / name, name)
