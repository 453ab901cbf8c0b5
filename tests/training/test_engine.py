"""The engine's operations, given what the runner gives and asked what it stores."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.benchmarks.coco_shots import deal, read_folder
from tests.benchmarks.few_shot import run_shots
from tests.training.vision.conftest import draw_image
from training import engine
from training.vision.artifacts import pack_model
from training.vision.backbones import prepare_backbone
from training.vision.recipes import find_recipe
from training.vision.sessions import load_head_graph

TINY = find_recipe(
    "fast", long_side=64, finest_stride=8, views=2, pyramid_channels=16, tower_depth=1, steps=6, batch_images=2,
    checkpoint_steps=2, folds=2, fine_steps=0,
)  # fmt: skip
CLASSES = ["red", "blue"]


@dataclass
class Run:
    """What an operation sees of a run, written down."""

    parameters: dict[str, Any]
    scratch: Path
    should_stop: Callable[[], bool] = lambda: False
    reports: list[tuple[float, float, str, dict[str, float]]] = field(default_factory=list)
    parts: dict[str, bytes] = field(default_factory=dict)
    value: dict[str, Any] | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    failure: tuple[str, str, str] | None = None

    def progress(
        self, done: float, total: float, *, message: str = "", losses: Mapping[str, float] | None = None
    ) -> None:
        self.reports.append((done, total, message, dict(losses or {})))

    def checkpoint(self, data: bytes, *, step: int, name: str) -> None:
        self.parts[name] = data

    def finish(self, value: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.value = json.loads(json.dumps(value, allow_nan=False))
        self.files = {name: array.tobytes() for name, array in arrays.items()}

    def fail(self, code: str, message: str, *, hint: str, detail: str = "") -> None:
        self.failure = (code, message, hint)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backbones")
    prepare_backbone("efficientnet_lite0", folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, backbones: Path) -> Run:
    """Six images, red and blue squares in turns."""
    folder, images = tmp_path / "run" / "inputs", []
    folder.mkdir(parents=True)
    for number in range(6):
        x, y = (int(value) for value in np.random.default_rng(number).integers(0, 60, 2))
        colour = (220, 30, 30) if number % 2 == 0 else (30, 30, 220)
        np.save(folder / f"image-{number}.npy", draw_image(number, (x, y, x + 40, y + 30), colour))
        boxes = [[number % 2, x, y, 40, 30]]
        images.append({"file": f"image-{number}.npy", "boxes": boxes, "group": "", "split": "TRAIN"})
    parameters = {
        "images": images, "classes": CLASSES, "recipe": TINY.to_json(), "seed": 3, "backbone_dir": str(backbones),
        "checkpoints": [], "threads": 2,
    }  # fmt: skip
    return Run(parameters, tmp_path / "run")


def trained(run: Run) -> Run:
    engine.train([run])
    assert run.failure is None
    assert run.value is not None
    return run


def test_a_run_gives_what_is_published(run: Run, backbones: Path) -> None:
    value = trained(run).value
    assert (value["method"], value["folds"], value["images"], value["boxes"]) == ("OUT_OF_FOLD", 2, 6, 6)
    assert [(c["index"], c["name"], c["images"], c["boxes"]) for c in value["metrics"]["classes"]] == [
        (0, "red", 3, 3), (1, "blue", 3, 3),
    ]  # fmt: skip
    assert set(value["metrics"]["ap50"]) == {"value", "low", "high"}
    assert value["lineage"]["threads"] == 2
    assert len(value["curve"]) == 6
    assert set(run.files) == {"heads.safetensors", "model.json", "parity.json", "predictions.json"}
    description = json.loads(run.files["model.json"])
    assert description["weights_sha256"] == hashlib.sha256(run.files["heads.safetensors"]).hexdigest()
    assert (description["long_side"], description["backbone_sha256"]) == (64, value["backbone_sha256"])
    with pytest.raises(FileNotFoundError):
        load_head_graph(backbones, description["head_graph"])  # no recipe's: this one is tiny

    predictions = json.loads(run.files["predictions.json"])
    assert [entry["image"] for entry in predictions["images"]] == [f"image-{number}" for number in range(6)]
    assert predictions["images"][2]["truth"] == [[float(v) for v in run.parameters["images"][2]["boxes"][0]]]
    assert {entry["fold"] for entry in predictions["images"]} == {1, 2}
    assert run.reports[-1][0] == run.reports[-1][1]


def test_recipe_full_gives_the_same_files_and_says_which_graphs_they_need(run: Run, backbones: Path) -> None:
    recipe = find_recipe("full", long_side=64, steps=2, batch_images=2, checkpoint_steps=1, folds=2)
    run.parameters["recipe"] = recipe.to_json()
    value = trained(run).value
    assert (value["method"], value["images"], value["recipe"]["name"]) == ("OUT_OF_FOLD", 6, "full")
    assert set(run.files) == {"heads.safetensors", "model.json", "parity.json", "predictions.json"}
    description = json.loads(run.files["model.json"])
    assert description["feature_graph"] == "efficientnet_lite0.until-3.onnx"
    assert load_head_graph(backbones, description["head_graph"])
    assert len(run.files["heads.safetensors"]) < 4_000_000
    assert len(value["curve"]) == 2
    assert run.reports[-1][0] == run.reports[-1][1]


def test_few_shot_and_the_engine_give_the_same_weights(run: Run, backbones: Path, tmp_path: Path) -> None:
    coco = tmp_path / "coco"
    (coco / "images").mkdir(parents=True)
    rng = np.random.default_rng(5)
    document: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "red"}]}
    for number in range(8):
        x, y = (int(value) for value in rng.integers(0, 60, 2))
        pixels = draw_image(number, (x, y, x + 40, y + 30), (220, 30, 30))
        Image.fromarray(pixels).save(coco / "images" / f"{number}.png")
        document["images"].append({"id": number, "file_name": f"{number}.png", "group": f"board {number // 2}"})
        document["annotations"].append({"image_id": number, "category_id": 7, "bbox": [x, y, 40, 30]})
    (coco / "annotations.json").write_text(json.dumps(document))

    pictures, classes = read_folder(coco)
    learnt, left_out = deal(pictures, shots=5, most=300, seed=1)
    assert not {picture.group for picture in learnt} & {picture.group for picture in left_out}
    (tmp_path / "bench").mkdir()
    outcome, _ = run_shots(learnt, classes, TINY, 1, folder=tmp_path / "bench", backbones=backbones, threads=1)

    for picture in learnt:
        picture.decode(run.scratch / "inputs")
    images = [{"file": f"{p.path.stem}.npy", "boxes": p.boxes, "group": p.group, "split": "TRAIN"} for p in learnt]
    run.parameters |= {"images": images, "classes": classes, "seed": 1}
    files = trained(run).files
    assert {name: files[name] for name in ("heads.safetensors", "model.json")} == pack_model(outcome.trained)
    assert files["parity.json"] == outcome.parity.to_bytes()


def test_a_run_goes_on_from_its_parts(run: Run, tmp_path: Path) -> None:
    whole = trained(replace(run, scratch=run.scratch))
    assert set(whole.parts) == {"final", "fold-1", "fold-2"}
    broken = replace(run, reports=[], parts={}, files={})
    broken.should_stop = lambda: sum(bool(report[3]) for report in broken.reports) >= 8
    engine.train([broken])
    assert (broken.value, broken.failure) == (None, None)  # the server ends it
    for name, data in broken.parts.items():
        (run.scratch / "inputs" / f"checkpoint-{name}").write_bytes(data)
    again = replace(run, parameters={**run.parameters, "checkpoints": sorted(broken.parts)}, reports=[])
    assert trained(again).files == whole.files
    assert sum(bool(report[3]) for report in again.reports) < 14


def test_an_export_is_one_file_that_answers_alone(run: Run, tmp_path: Path) -> None:
    files = trained(run).files
    folder = tmp_path / "export" / "inputs"
    folder.mkdir(parents=True)
    for name in ("heads.safetensors", "model.json", "parity.json"):
        (folder / name).write_bytes(files[name])
    export = Run({"backbone_dir": run.parameters["backbone_dir"], "model": {"number": 4}}, folder.parent)
    engine.export([export])
    manifest = json.loads(export.files["manifest.json"])
    assert manifest["sha256"] == hashlib.sha256(export.files["model.onnx"]).hexdigest()
    assert (manifest["model"], manifest["classes"]) == ({"number": 4}, CLASSES)
    session = onnxruntime.InferenceSession(export.files["model.onnx"], providers=["CPUExecutionProvider"])
    boxes, scores, classes = session.run(None, {"image": np.zeros((50, 70, 3), np.uint8)})
    assert len(boxes) == len(scores) == len(classes)

    (folder / "heads.safetensors").write_bytes(files["heads.safetensors"][:-1] + b"x")
    damaged = replace(export, failure=None)
    engine.export([damaged])
    assert damaged.failure is not None
    assert damaged.failure[0] == "model_damaged"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"boxes": [[0, 5, 5, -3, 8]]}, "bad_example", "image image-1, box 1: box 5, 5, 2, 13 is inverted or empty"),
        ({"boxes": [[9, 5, 5, 3, 8]]}, "bad_example", "image image-1, box 1: class 9 is unknown"),
        ({"boxes": [[0, 500, 5, 3, 8]]}, "bad_example", "lies outside the 120 × 100 image"),
        ({"group": "all", "all": True}, "too_few_groups", "6 images form 1 group"),
        ({"boxes": [], "all": True}, "nothing_to_learn", "mark at least one defect"),
    ],
)
def test_bad_data_is_said_in_the_customers_words(run: Run, change: dict[str, Any], code: str, words: str) -> None:
    images = run.parameters["images"]
    for image in images if change.pop("all", False) else images[1:2]:
        image.update(change)
    engine.train([run])
    assert run.failure is not None
    assert run.failure[0] == code
    assert words in run.failure[1]
    assert run.failure[2]
    assert run.reports == []


def test_a_missing_backbone_is_not_the_customers_fault(run: Run, tmp_path: Path) -> None:
    run.parameters["backbone_dir"] = str(tmp_path / "nowhere")
    engine.train([run])
    assert run.failure is not None
    assert run.failure[0] == "backbone_missing"
    assert "Nothing is wrong with your data" in run.failure[2]


def test_runs_of_a_pack_end_each_on_their_own(run: Run) -> None:
    stopped = replace(run, should_stop=lambda: True, reports=[])
    bad = replace(run, parameters={**run.parameters, "images": []}, reports=[])
    engine.train([stopped, bad, run])
    assert (stopped.value, stopped.failure, stopped.reports) == (None, None, [])
    assert bad.failure is not None
    assert bad.failure[0] == "nothing_to_learn"
    assert run.value is not None


@pytest.mark.parametrize("after", [1, 8, 14])
def test_a_cancel_is_heard_within_a_second(run: Run, after: int) -> None:
    """While features are computed (twelve views), and while it trains."""
    heard: list[float] = []

    def should_stop() -> bool:
        if len(run.reports) >= after and not heard:
            heard.append(time.process_time())
        return bool(heard)

    run.should_stop = should_stop
    engine.train([run])
    assert run.value is None
    assert time.process_time() - heard[0] < 1.0
