"""A model of whole images as one self-contained file, with parity images by which a device proves what it computes."""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import onnx

from training.vision.artifacts import DamagedModel
from training.vision.backbones import Backbone
from training.vision.examples import Example
from training.vision.exports import MANIFEST, NOTICE, ONNX
from training.vision.image_graphs import merge_image_graphs
from training.vision.image_models import ImageModel
from training.vision.image_recipes import ANOMALY, CLASSIFICATION
from training.vision.nodes import OPSET
from training.vision.parity import COUNT, LARGEST_SIDE, ParityBroken, read_png, shrink, write_png
from training.vision.sessions import open_session

# What parity images hold of each kind, and how far runtimes may differ in it; they add in other orders.
_EXPECTED = {CLASSIFICATION: ("probabilities", 1e-3), ANOMALY: ("score", 5e-4)}
_OUTPUTS: dict[str, dict[str, dict[str, object]]] = {
    CLASSIFICATION: {
        "probabilities": {"type": "float32", "shape": ["classes"], "meaning": "one for each of classes; their sum is 1"}
    },
    ANOMALY: {
        "score": {"type": "float32", "shape": [1], "meaning": "0 to 1; at or above the threshold it is anomalous"},
        "heat": {"type": "float32", "shape": ["h", "w"], "meaning": "0 to 1, of places over the whole image"},
    },
}


def make_image_parity(model: ImageModel, examples: Sequence[Example], backbone: Backbone) -> bytes:
    """parity.json: what the merged graph answers to the first examples by hash, whole or shrunk."""
    name, tolerance = _EXPECTED[model.kind]
    session = open_session(merge_image_model(model, backbone).SerializeToString())
    chosen = {example.sha256: example for example in sorted(examples, key=lambda e: e.sha256)}
    images = []
    for example in list(chosen.values())[:COUNT]:
        pixels = shrink(example.pixels(), LARGEST_SIDE)
        [found] = session.run([name], {"image": pixels})
        png = base64.b64encode(write_png(pixels)).decode()
        images.append({"png_base64": png, name: [round(float(value), 6) for value in found]})
    return json.dumps({"format": 1, "tolerance": {name: tolerance}, "images": images}, sort_keys=True).encode()


def check_image_parity(graph: bytes, kind: str, parity: Mapping[str, Any]) -> None:
    """Raise ParityBroken unless the merged graph answers as expected."""
    name, tolerance = _EXPECTED[kind]
    session = open_session(graph)
    for number, image in enumerate(parity["images"]):
        pixels = read_png(base64.b64decode(image["png_base64"], validate=True))
        [found] = session.run([name], {"image": pixels})
        expected = np.array(image[name], np.float64)
        if expected.shape != found.shape or not (np.abs(found - expected) <= tolerance).all():
            raise ParityBroken(f"parity image {number}: the graph answers otherwise")


def export_image_model(
    model: ImageModel, backbone: Backbone, parity: bytes, described: Mapping[str, Any]
) -> dict[str, bytes]:
    """The merged graph and its manifest by file name; `described` is repeated in the manifest as "model".

    Raises ParityBroken unless the graph answers what was evaluated, and DamagedModel for a parity file of no sense.
    """
    graph: bytes = merge_image_model(model, backbone).SerializeToString(deterministic=True)
    try:
        expected = json.loads(parity)
        check_image_parity(graph, model.kind, expected)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedModel(f"parity images cannot be read: {error}") from error
    manifest = {
        "format": 1,
        "kind": model.kind,
        "model": dict(described),
        "file": ONNX,
        "sha256": sha256(graph).hexdigest(),
        "bytes": len(graph),
        "opset": OPSET,
        "classes": model.classes,
        "input": {"name": "image", "type": "uint8", "shape": ["height", "width", 3], "colours": "RGB, upright"},
        "outputs": _OUTPUTS[model.kind],
        "long_side": model.long_side,
        "backbone": model.backbone,
        "backbone_sha256": model.backbone_sha256,
        "fingerprint": model.fingerprint,
        "notice": NOTICE,
        "parity": expected,
    }
    if model.threshold is not None:
        manifest["threshold"] = model.threshold
    return {ONNX: graph, MANIFEST: json.dumps(manifest, indent=2, sort_keys=True).encode()}


def merge_image_model(model: ImageModel, backbone: Backbone) -> onnx.ModelProto:
    return merge_image_graphs(backbone, model.heads, model.restored(), long_side=model.long_side, classes=model.classes)
