"""Tiny bundles of each kind: a detector as the service trains and exports it, the others built by hand.

The hand-built graphs answer by an image's mean colour or brightness, so that a test can tell what is right.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

Pixels = npt.NDArray[np.uint8]
COLOURS = ("red", "green", "blue")
ALARM = 0.5
BOXES = ((20, 30, 60, 70), (60, 20, 100, 60))  # of a red and a blue rectangle, x1 y1 x2 y2


def casing(seed: int) -> Pixels:
    """What the detector has learnt: grey noise of 100 × 120 pixels with a red or, for odd seeds, a blue rectangle."""
    pixels = np.random.default_rng(seed).integers(90, 130, (100, 120, 3)).astype(np.uint8)
    left, top, right, bottom = BOXES[seed % 2]
    pixels[top:bottom, left:right] = ((220, 30, 30), (30, 30, 220))[seed % 2]
    return pixels


def flat(colour: tuple[int, int, int], *, width: int = 64, height: int = 48) -> Pixels:
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


def spotted(brightness: int, *, width: int = 64, height: int = 48) -> Pixels:
    """Grey, with a spot in the upper left quarter."""
    pixels = flat((0, 0, 0), width=width, height=height)
    pixels[: height // 2, : width // 2] = brightness
    return pixels


def encoded(pixels: Pixels, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def make_detector(folder: Path, scratch: Path) -> None:
    """Train a detector on two images, and export it as the service does."""
    from training.vision.backbones import prepare_backbone
    from training.vision.examples import Annotation, check_examples
    from training.vision.exports import export_model
    from training.vision.features import settle_recipe
    from training.vision.few_shot import open_workbench, prepare_views, train_fast
    from training.vision.parity import make_parity
    from training.vision.recipes import find_recipe

    prepare_backbone("efficientnet_lite0", scratch)
    workbench = open_workbench("efficientnet_lite0", scratch, scratch / "cache", cache_bytes=64 << 20)
    annotations = [Annotation(np.array([box], np.float32), np.array([number])) for number, box in enumerate(BOXES)]
    examples = check_examples([casing(0), casing(1)], annotations, 2)
    tiny = find_recipe(
        "fast", long_side=128, finest_stride=8, views=1, pyramid_channels=16, tower_depth=1, steps=60, batch_images=2,
        fine_steps=0, checkpoint_steps=60, folds=2, learning_rate=0.01,
    )  # fmt: skip
    recipe = settle_recipe(tiny, examples)
    views = [view for own in prepare_views(examples, recipe, workbench) for view in own]
    trained = train_fast(examples, ("red", "blue"), recipe, seed=0, workbench=workbench, views=views)
    parity = make_parity(trained, examples, workbench).to_bytes()
    interval = {"value": 0.61, "low": 0.42, "high": 0.78}
    described = {
        "id": "0b7c", "number": 7, "project": {"id": "p", "name": "Casings"}, "recipe": "fast",
        "evaluation": {"method": "OUT_OF_FOLD", "metrics": {"ap50": interval, "classes": [
            {"id": "c1", "name": "red", "images": 2, "boxes": 3, "ap50": interval}]}},
    }  # fmt: skip
    for name, data in export_model(trained, workbench.backbone, parity, described).items():
        (folder / name).write_bytes(data)


def make_classifier(folder: Path) -> None:
    """Softmax over the mean red, green and blue, each divided by 20."""
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("Div", ["means", "twenty"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=0),
    ]
    constants = {"axes": np.array([0, 1], np.int64), "twenty": np.array(20, np.float32)}
    graph = _graph(nodes, {"probabilities": [3]}, constants)
    images = [flat((200, 20, 20)), flat((30, 90, 120))]
    write_bundle(
        folder, graph, images, ("probabilities",), kind="CLASSIFICATION", classes=list(COLOURS),
        tolerance={"probabilities": 1e-3},
    )  # fmt: skip


def make_anomaly(folder: Path, *, score_shape: Sequence[int] = ()) -> None:
    """The score is the brightest place of a grid of 8 × 8, between 0 and 1; the heat is ten times the grid."""
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "channels"], ["grey"], keepdims=0),
        helper.make_node("Unsqueeze", ["grey", "batch"], ["batched"]),
        helper.make_node("Resize", ["batched", "", "", "grid"], ["small"], mode="linear"),
        helper.make_node("Squeeze", ["small", "batch"], ["place"]),
        helper.make_node("Div", ["place", "brightest"], ["shares"]),
        helper.make_node("Mul", ["shares", "ten"], ["heat"]),
        helper.make_node("ReduceMax", ["shares"], ["highest"], keepdims=0),
        helper.make_node("Reshape", ["highest", "shape"], ["score"]),
    ]
    constants = {
        "channels": np.array([2], np.int64), "batch": np.array([0, 1], np.int64),
        "grid": np.array([1, 1, 8, 8], np.int64), "brightest": np.array(255, np.float32),
        "ten": np.array(10, np.float32), "shape": np.array(score_shape, np.int64),
    }  # fmt: skip
    graph = _graph(nodes, {"score": list(score_shape), "heat": [8, 8]}, constants)
    write_bundle(
        folder, graph, [spotted(40), spotted(250)], ("score",), kind="ANOMALY", threshold=ALARM,
        tolerance={"score": 1e-3},
    )  # fmt: skip


def write_bundle(
    folder: Path,
    graph: bytes,
    images: Sequence[Pixels],
    expected: Sequence[str],
    *,
    tolerance: Mapping[str, float],
    **fields: Any,
) -> None:
    """Write a graph and its manifest, with what it answers to the images as parity."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    parity = []
    for pixels in images:
        answers = dict(zip(expected, session.run(list(expected), {"image": pixels}), strict=True))
        told = {name: answer.tolist() for name, answer in answers.items()}
        parity.append({"png_base64": base64.b64encode(encoded(pixels)).decode(), **told})
    manifest = {
        "format": 1, "model": {"id": "5e1f", "number": 3}, "sha256": sha256(graph).hexdigest(), "bytes": len(graph),
        "parity": {"format": 1, "tolerance": tolerance, "images": parity}, **fields,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _graph(
    nodes: Sequence[onnx.NodeProto], outputs: Mapping[str, Sequence[int]], constants: Mapping[str, Any]
) -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", [image], given, stored), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()
