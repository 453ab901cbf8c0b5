"""What a model is on disk, and what leaves the house: files that fit a device."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.vision.test_image_runs import Case, draw, run
from training.vision.artifacts import DESCRIPTION, WEIGHTS, DamagedModel
from training.vision.few_shot import Workbench, open_workbench
from training.vision.image_exports import export_image_model
from training.vision.image_models import pack_image_model, unpack_image_model
from training.vision.image_recipes import ANOMALY, CLASSIFICATION
from training.vision.image_runs import ImageOutcome
from training.vision.image_sessions import ImageHeadSession, PairedJudge
from training.vision.parity import ParityBroken
from training.vision.sessions import load_head_graph, open_session


@pytest.fixture(scope="module")
def shared(weights_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return open_workbench("efficientnet_lite0", weights_folder, tmp_path_factory.mktemp("cache"), cache_bytes=64 << 20)


@pytest.fixture(scope="module", params=[CLASSIFICATION, ANOMALY])
def outcome(request: pytest.FixtureRequest, shared: Workbench) -> ImageOutcome:
    case = Case()
    for _ in range(6):
        for label in (None, 0, 1):
            case.add(label)
    return run(case, shared, request.param)


def test_a_model_comes_back_as_it_was(outcome: ImageOutcome) -> None:
    files = pack_image_model(outcome.model)
    assert pack_image_model(unpack_image_model(files)) == files
    again = unpack_image_model(files)
    assert (again.kind, again.threshold, again.classes) == (
        outcome.model.kind, outcome.model.threshold, outcome.model.classes,
    )  # fmt: skip
    description = json.loads(files[DESCRIPTION])
    assert description["head_graph"].startswith(f"efficientnet_lite0.heads-{outcome.model.kind.lower()}-")
    assert (description["feature_graph"], description["long_side"]) == ("efficientnet_lite0.onnx", 128)
    assert len(files[WEIGHTS]) < 300_000


def test_damage_is_found(outcome: ImageOutcome) -> None:
    files = pack_image_model(outcome.model)

    def refused(match: str, **changed: bytes) -> None:
        with pytest.raises(DamagedModel, match=match):
            unpack_image_model({**files, **{name.replace("_", "."): data for name, data in changed.items()}})

    description = json.loads(files[DESCRIPTION])
    flipped = bytearray(files[WEIGHTS])
    flipped[-1] ^= 1
    refused("the weights do not match", heads_safetensors=bytes(flipped))
    refused("cannot be read", model_json=b"{")
    refused("model format 2", model_json=json.dumps({**description, "format": 2}).encode())
    refused("kind 'DETECTION' is unknown", model_json=json.dumps({**description, "kind": "DETECTION"}).encode())
    del description["classes"]
    refused("classes", model_json=json.dumps(description).encode())


def test_hosting_answers_as_the_export_does(outcome: ImageOutcome, shared: Workbench, weights_folder: Path) -> None:
    files = pack_image_model(outcome.model)
    name = json.loads(files[DESCRIPTION])["head_graph"]
    pair = PairedJudge(shared.session, ImageHeadSession(load_head_graph(weights_folder, name)))
    pixels = draw(500, 1)
    hosted = pair.judge(pixels, outcome.model.restored(), 128)
    exported = export_image_model(outcome.model, shared.backbone, outcome.parity, {"id": "m"})
    session = open_session(exported["model.onnx"])
    for output, found in zip(session.get_outputs(), session.run(None, {"image": pixels}), strict=True):
        np.testing.assert_allclose(found, hosted[output.name], atol=2e-5)
    if outcome.model.kind == ANOMALY:
        assert hosted["score"][0] >= outcome.model.threshold
        assert hosted["heat"].shape == (4, 4)  # 128 × 128 pixels of 32 each
    else:
        assert hosted["probabilities"].argmax() == 1


def test_a_device_takes_the_bundle(outcome: ImageOutcome, shared: Workbench, tmp_path: Path) -> None:
    """By the device's own program, which imports nothing of ours."""
    for name, data in export_image_model(outcome.model, shared.backbone, outcome.parity, {"id": "m"}).items():
        (tmp_path / name).write_bytes(data)
    edge = Path(__file__).parents[3] / "clients" / "edge"
    checked = subprocess.run(
        [sys.executable, "-m", "myriad_edge", "check", str(tmp_path)], cwd=edge, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["kind"] == outcome.model.kind
    assert manifest["classes"] == outcome.model.classes
    assert manifest.get("threshold") == outcome.model.threshold
    assert len(manifest["parity"]["images"]) == 3
    assert "Apache License" in manifest["notice"]


def test_an_export_that_answers_otherwise_is_refused(outcome: ImageOutcome, shared: Workbench) -> None:
    model = outcome.model
    name = "pool.bias" if model.kind == CLASSIFICATION else "cells.mean"
    moved = model.weights[name] + np.linspace(0, 40, len(model.weights[name]), dtype=np.float32)
    other = replace(model, weights={**model.weights, name: moved})
    with pytest.raises(ParityBroken, match="parity image 0"):
        export_image_model(other, shared.backbone, outcome.parity, {})
    with pytest.raises(DamagedModel, match="parity images cannot be read"):
        export_image_model(model, shared.backbone, b"[]", {})


def test_serving_needs_no_torch() -> None:
    code = "import sys, training.vision.image_sessions; sys.exit(bool({'torch', 'onnx'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
