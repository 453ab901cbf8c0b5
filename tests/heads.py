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
import onnxruntime
from safetensors.numpy import load, save

from training.vision.recipes import FAST
from training.vision.sessions import (
    FEATURES,
    TRUNK,
    FeatureSession,
    HeadSession,
    PairedDetector,
    Prediction,
    load_head_graph,
    open_session,
)
from training.vision.weights import Floats, restore_weights

BACKBONE = "efficientnet_lite0"
LONG_SIDE = 128
RANK = 2  # of what their blocks moved
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
    """The name of one of the graphs that were made, of models that leave the backbone as it is."""
    return next(name for name in head_graphs(folder) if not _tuned_from(folder, name))


@functools.cache
def head_graphs(folder: Path) -> list[str]:
    """The names of all that find boxes, those of models that tune the backbone among them."""
    names = sorted(path.name for path in folder.glob(f"{BACKBONE}.heads-*.onnx"))
    return [name for name in names if "boxes" in {given.name for given in _session(folder, name).get_outputs()}]


@functools.cache
def _session(folder: Path, name: str) -> onnxruntime.InferenceSession:
    return open_session(load_head_graph(folder, name))


def _inputs(folder: Path, name: str) -> dict[str, list[int | str]]:
    """Shapes by name."""
    return {given.name: given.shape for given in _session(folder, name).get_inputs()}


def _tuned_from(folder: Path, name: str) -> int:
    """The first block that its models tune, or 0."""
    spec = json.loads(_session(folder, name).get_modelmeta().custom_metadata_map["spec"])
    return int(spec.get("tuned_from", 0))


def tuned_head_graph(folder: Path) -> str:
    """The name of one of the graphs of models that tune the backbone."""
    return next(name for name in head_graphs(folder) if _tuned_from(folder, name))


def fast_head_graph(folder: Path) -> str:
    """The name of one of the graphs that recipe `fast` makes models for today."""
    return next(name for name in head_graphs(folder) if _tuned_from(folder, name) == FAST.tuned_from)


def feature_graph(folder: Path, name: str) -> str:
    """The name of the graph that stands before a head graph."""
    tuned_from = _tuned_from(folder, name)
    return f"{BACKBONE}.until-{tuned_from}.onnx" if tuned_from else f"{BACKBONE}.onnx"


def restored(artifacts: Artifacts) -> dict[str, Floats]:
    """A model's weights as its head graph takes them."""
    return restore_weights(load(artifacts.weights))


def make_artifacts(
    folder: Path, *, classes: int = 2, seed: int = 0, eager: float = 2, name: str = "", rank: int = RANK
) -> Artifacts:
    """Heads of random weights that fit the head graph `name` in `folder`, or the first one.

    They find class `seed % classes` everywhere; the less `eager` (the bias of its scores), the less of it.
    """
    name = name or head_graph(folder)
    draw = np.random.default_rng(seed)
    weights: dict[str, npt.NDArray[np.float16]] = {}
    for given, sides in _inputs(folder, name).items():
        if given in (*FEATURES, TRUNK, "image_size"):
            continue
        shape = [classes if side == "classes" else rank if isinstance(side, str) else side for side in sides]
        spread = 0.001 if given.startswith("backbone.") else 0.05
        weights[given] = draw.normal(0, spread, shape).astype(np.float16)
    bias = np.full(classes, -6, np.float16)
    bias[seed % classes] = eager
    weights["class_head.output.bias"] = bias
    data = save(weights)
    described = {
        "format": 1,
        "head_graph": name,
        "feature_graph": feature_graph(folder, name),
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    return Artifacts(data, json.dumps(described).encode())


def in_process(folder: Path, artifacts: Artifacts, pixels: npt.NDArray[np.uint8]) -> Prediction:
    """What the model says, by the same sessions without anything around them."""
    described = json.loads(artifacts.description)
    pair = PairedDetector(
        FeatureSession((folder / described["feature_graph"]).read_bytes()),
        HeadSession(load_head_graph(folder, described["head_graph"])),
    )
    return pair.predict(pixels, restored(artifacts), LONG_SIDE)
