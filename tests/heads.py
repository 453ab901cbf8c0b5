"""Real graphs and the files of real models for tests of hosted prediction, made without training anything.

The backbone is the one that is served; a model's heads are random, but for a bias that makes every cell a finding of
one class, so that answers are many and equal from call to call.
"""

import atexit
import functools
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from training.vision.sessions import (
    FeatureSession,
    HeadSession,
    PairedDetector,
    Prediction,
    load_head_graph,
    widen_weights,
)

BACKBONE = "efficientnet_lite0"
LONG_SIDE = 128
# torch makes the graphs, so another process does: this one is to stay without it.
_MAKE = """
import sys
from pathlib import Path
from training.vision.backbones import prepare_backbone
prepare_backbone("efficientnet_lite0", Path(sys.argv[1]))
"""


def make_graphs(folder: Path) -> None:
    """What `manage.py backbone` makes."""
    subprocess.run([sys.executable, "-c", _MAKE, str(folder)], check=True, cwd=Path(__file__).parents[1])


@functools.cache
def shared_graphs() -> Path:
    """A folder with the graphs, made at most once a process and gone with it."""
    folder = Path(tempfile.mkdtemp(prefix="myriad-graphs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_graphs(folder)
    return folder


@dataclass(frozen=True)
class Artifacts:
    """A model's files."""

    weights: bytes
    description: bytes

    @property
    def weights_sha256(self) -> str:
        return hashlib.sha256(self.weights).hexdigest()

    @property
    def description_sha256(self) -> str:
        return hashlib.sha256(self.description).hexdigest()


def head_graph(folder: Path) -> str:
    """The name of one of the graphs that were made."""
    return min(path.name for path in folder.glob(f"{BACKBONE}.heads-*.onnx"))


def make_artifacts(folder: Path, *, classes: int = 2, seed: int = 0, eager: float = 2, name: str = "") -> Artifacts:
    """Heads of random weights that fit the head graph `name` in `folder`, or the first one.

    They find class `seed % classes` everywhere; the less `eager` (the bias of its scores), the less of it.
    """
    name = name or head_graph(folder)
    draw = np.random.default_rng(seed)
    weights: dict[str, npt.NDArray[np.float16]] = {}
    for given in HeadSession(load_head_graph(folder, name))._session.get_inputs():
        if given.name in ("c8", "c16", "c32", "image_size"):
            continue
        shape = [classes if side == "classes" else side for side in given.shape]
        weights[given.name] = draw.normal(0, 0.05, shape).astype(np.float16)
    bias = np.full(classes, -6, np.float16)
    bias[seed % classes] = eager
    weights["class_head.output.bias"] = bias
    data = save(weights)
    described = {"format": 1, "head_graph": name, "weights_sha256": hashlib.sha256(data).hexdigest()}
    return Artifacts(data, json.dumps(described).encode())


def in_process(folder: Path, artifacts: Artifacts, pixels: npt.NDArray[np.uint8]) -> Prediction:
    """What the model says, by the same sessions without anything around them."""
    from safetensors.numpy import load

    pair = PairedDetector(
        FeatureSession((folder / f"{BACKBONE}.onnx").read_bytes()),
        HeadSession(load_head_graph(folder, head_graph(folder))),
    )
    return pair.predict(pixels, widen_weights(load(artifacts.weights)), LONG_SIDE)
