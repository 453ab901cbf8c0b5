"""Files of models that judge whole images, for tests of hosted prediction, made without training anything."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from tests.heads import BACKBONE, LONG_SIDE, Artifacts
from training.vision.image_sessions import ImageHeadSession, PairedJudge
from training.vision.sessions import FEATURES, FeatureSession, load_head_graph
from training.vision.weights import Floats

COMPONENTS = 8
THRESHOLD = 0.5


def judge_graph(folder: Path, kind: str) -> str:
    """The name of the kind's head graph."""
    (path,) = folder.glob(f"{BACKBONE}.heads-{kind.lower()}-*.onnx")
    return path.name


def make_judge(folder: Path, kind: str, *, classes: int = 3, seed: int = 0, **facts: Any) -> Artifacts:
    """Random weights that fit the kind's head graph, and a description, in which `facts` stand instead of the usual."""
    name = judge_graph(folder, kind)
    session = ImageHeadSession(load_head_graph(folder, name))._session
    draw, sizes = np.random.default_rng(seed), {"classes": classes, "components": COMPONENTS}
    weights: dict[str, npt.NDArray[np.floating[Any]]] = {}
    for given in session.get_inputs():
        if given.name not in FEATURES:
            shape = [sizes.get(side, side) for side in given.shape]
            weights[given.name] = np.abs(draw.normal(0, 0.05, shape)).astype(np.float32)
    data = save(weights)
    described = {
        "format": 1,
        "kind": kind,
        "head_graph": name,
        "feature_graph": f"{BACKBONE}.onnx",
        "threshold": THRESHOLD if kind == "ANOMALY" else None,
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    return Artifacts(data, json.dumps(described | facts).encode())


def judged(folder: Path, artifacts: Artifacts, pixels: npt.NDArray[np.uint8]) -> Mapping[str, Floats]:
    """What the model says, by the same sessions without anything around them."""
    described = json.loads(artifacts.description)
    pair = PairedJudge(
        FeatureSession((folder / described["feature_graph"]).read_bytes()),
        ImageHeadSession(load_head_graph(folder, described["head_graph"])),
    )
    return pair.judge(pixels, load(artifacts.weights), LONG_SIDE)
