"""The engine's operations for models that judge whole images, given what the runner gives."""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.training.test_engine import Run, backbones
from tests.training.vision.conftest import draw_image
from training import engine
from training.vision.image_recipes import find_image_recipe
from training.vision.parity import read_png
from training.vision.sessions import load_head_graph

__all__ = ["backbones"]
CLASSES = ["red", "blue"]
SIDE = 64
COLOURS = ((220, 30, 30), (30, 30, 220))


def run_of(kind: str, labels: list[int | None], folder: Path, backbones: Path) -> Run:
    """Images with a square of the class's colour in their middle, or without one."""
    inputs, images = folder / "run" / "inputs", []
    inputs.mkdir(parents=True)
    for number, label in enumerate(labels):
        square = (30, 30, 66, 66) if label is not None else (0, 0, 0, 0)
        pixels = draw_image(number, square, COLOURS[label or 0])
        np.save(inputs / f"image-{number}.npy", pixels)
        height, width = pixels.shape[:2]
        boxes = [] if label is None else [[label, 0, 0, width, height]]
        images.append({"file": f"image-{number}.npy", "boxes": boxes, "group": "", "split": "TRAIN"})
    recipe = find_image_recipe(kind, "fast", long_side=SIDE, folds=2, inner_folds=2, components=8)
    parameters = {
        "kind": kind, "images": images, "classes": CLASSES, "recipe": recipe.to_json(), "seed": 3,
        "backbone_dir": str(backbones), "checkpoints": [], "threads": 2,
    }  # fmt: skip
    return Run(parameters, folder / "run")


def trained(run: Run) -> dict[str, object]:
    engine.train([run])
    assert run.failure is None, run.failure
    assert run.value is not None
    return run.value


@pytest.fixture
def classifying(tmp_path: Path, backbones: Path) -> Run:
    return run_of("CLASSIFICATION", [0, 1, None] * 4, tmp_path, backbones)


@pytest.fixture
def anomalous(tmp_path: Path, backbones: Path) -> Run:
    return run_of("ANOMALY", [None] * 10 + [0, 0], tmp_path, backbones)


def test_a_classifier_gives_what_is_published(classifying: Run, backbones: Path) -> None:
    value = trained(classifying)
    assert (value["method"], value["folds"], value["images"], value["boxes"]) == ("OUT_OF_FOLD", 2, 12, 8)
    assert (value["classes"], value["why"], value["curve"]) == ([*CLASSES, "good"], "", [])
    metrics = value["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["kind"] == "CLASSIFICATION"
    assert [(one["index"], one["name"], one["images"]) for one in metrics["classes"]] == [
        (0, "red", 4), (1, "blue", 4), (2, "good", 4),
    ]  # fmt: skip
    assert [sum(row) for row in metrics["confusion"]] == [4, 4, 4]
    assert set(classifying.files) == {"heads.safetensors", "model.json", "parity.json", "predictions.json"}
    description = json.loads(classifying.files["model.json"])
    weights = hashlib.sha256(classifying.files["heads.safetensors"]).hexdigest()
    assert (description["kind"], description["long_side"], description["weights_sha256"]) == (
        "CLASSIFICATION", SIDE, weights,
    )  # fmt: skip
    assert load_head_graph(backbones, description["head_graph"])
    assert (backbones / description["feature_graph"]).is_file()
    predictions = json.loads(classifying.files["predictions.json"])
    assert [one["image"] for one in predictions["images"]] == [f"image-{number}" for number in range(12)]
    assert [one["truth"] for one in predictions["images"]] == [0, 1, 2] * 4
    assert classifying.reports[-1][0] == classifying.reports[-1][1]
    assert classifying.parts == {}


def test_the_same_run_gives_the_same_bytes(classifying: Run) -> None:
    trained(classifying)
    before = dict(classifying.files)
    trained(classifying)
    assert classifying.files == before


def test_a_model_of_good_images_gives_its_threshold(anomalous: Run) -> None:
    value = trained(anomalous)
    metrics = value["metrics"]
    assert isinstance(metrics, dict)
    assert (metrics["kind"], metrics["good"], metrics["defective"]) == ("ANOMALY", 10, 2)
    assert (value["classes"], value["boxes"]) == (CLASSES, 2)
    description = json.loads(anomalous.files["model.json"])
    assert description["threshold"] == metrics["threshold"]
    assert [one["detection_rate"] is None for one in metrics["classes"]] == [False, True]


@pytest.mark.parametrize("kind", ["CLASSIFICATION", "ANOMALY"])
def test_an_export_runs_by_itself_and_answers_as_expected(kind: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue({"CLASSIFICATION": "classifying", "ANOMALY": "anomalous"}[kind])
    trained(run)
    scratch = run.scratch.parent / "export"
    (scratch / "inputs").mkdir(parents=True)
    for name in ("heads.safetensors", "model.json", "parity.json"):
        (scratch / "inputs" / name).write_bytes(run.files[name])
    given = {"kind": kind, "backbone_dir": run.parameters["backbone_dir"], "model": {"id": "m"}}
    export = Run(given, scratch)

    engine.export([export])

    assert export.failure is None
    manifest = json.loads(export.files["manifest.json"])
    assert (manifest["kind"], manifest["model"]) == (kind, {"id": "m"})
    session = onnxruntime.InferenceSession(export.files["model.onnx"])
    output = "score" if kind == "ANOMALY" else "probabilities"
    expected = manifest["parity"]["images"][0]
    pixels = read_png(base64.b64decode(expected["png_base64"]))
    [found] = session.run([output], {"image": pixels})
    np.testing.assert_allclose(found, expected[output], atol=1e-4)


def test_an_image_of_two_classes_is_named(classifying: Run) -> None:
    classifying.parameters["images"][3]["boxes"].append([1, 0, 0, 9, 9])
    engine.train([classifying])
    assert classifying.failure is not None
    code, message, _ = classifying.failure
    assert code == "bad_example"
    assert message.startswith("image image-3")
    assert "2 classes" in message


def test_too_few_good_images_are_a_refusal_in_words(tmp_path: Path, backbones: Path) -> None:
    run = run_of("ANOMALY", [None, None, 0, 1], tmp_path, backbones)
    engine.train([run])
    assert run.failure is not None
    assert run.failure[0] == "nothing_to_learn"
    assert "2 good images" in run.failure[1]
