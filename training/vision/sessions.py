"""The graphs at work: numpy and onnxruntime only, so that serving and evaluation need no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from training.vision.metrics import MOST_DETECTIONS
from training.vision.predictions import Prediction
from training.vision.tiling import Tiling, join_tiles, lay_tiles
from training.vision.weights import Floats

__all__ = [
    "FeatureSession", "HeadSession", "PairedDetector", "Prediction", "load_head_graph", "network_size", "open_session",
    "tile_size",
]  # fmt: skip
MULTIPLE = 64  # sides of the network's input: every stride divides them, and few shapes recur
FEATURES = ("c8", "c16", "c32")  # the backbone graph's outputs, of strides 8, 16 and 32
TRUNK = "trunk"  # of a graph that ends before the first of them begins


def network_size(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Height and width to which an image is resized: the longer about `long_side`, both multiples of 64, no padding.

    Integers only, so that the merged graph computes the very same.
    """
    longest = max(height, width)
    sides = [(2 * long_side * side + MULTIPLE * longest) // (2 * MULTIPLE * longest) for side in (height, width)]
    return max(sides[0], 1) * MULTIPLE, max(sides[1], 1) * MULTIPLE


def tile_size(height: int, width: int, long_side: int, tiling: Tiling) -> tuple[int, int]:
    """The same of a tile: `long_side` is what a whole one has, and one of a small image is no larger than its share."""
    return network_size(height, width, long_side * max(height, width) // tiling.side)


def open_session(graph: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena never shrinks: one large photograph would stay for good
    options.log_severity_level = 3  # shapes that only run time knows are no news
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class FeatureSession:
    """A shared graph, of the whole backbone or of its first blocks: (H, W, 3) uint8 -> what heads take, by name."""

    def __init__(self, graph: bytes, threads: int = 1) -> None:
        self._session = open_session(graph, threads)
        self._given = [node.name for node in self._session.get_outputs()]
        self.sha256 = self._session.get_modelmeta().custom_metadata_map["backbone_sha256"]

    def extract(self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> dict[str, Floats]:
        """Each is (1, C, h, w)."""
        found = self._session.run(None, {"image": pixels, "size": np.array(size, np.int64)})
        return dict(zip(self._given, found, strict=True))


class HeadSession:
    """The shared head graph; weights come with each call, as float32."""

    def __init__(self, graph: bytes, threads: int = 1) -> None:
        self._session = open_session(graph, threads)
        self._taken = {node.name for node in self._session.get_inputs()}

    def detect(
        self, features: Mapping[str, Floats], image_size: tuple[int, int], weights: Mapping[str, Floats]
    ) -> Prediction:
        """`features` are what a FeatureSession extracts, of which the graph takes those that it was made for."""
        inputs: dict[str, npt.NDArray[np.generic]] = {
            name: feature for name, feature in features.items() if name in self._taken
        }
        inputs["image_size"] = np.array(image_size, np.int64)
        boxes, scores, classes = self._session.run(None, {**inputs, **weights})
        return Prediction(boxes, scores, classes)


@dataclass(frozen=True)
class PairedDetector:
    """Backbone and heads as one detector; thousands of models share both sessions."""

    features: FeatureSession
    heads: HeadSession

    def predict(
        self,
        pixels: npt.NDArray[np.uint8],
        weights: Mapping[str, Floats],
        long_side: int,
        tiling: Tiling | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Prediction:
        """Tiles are looked at one by one: memory is that of one, however large the image. `check` is called before each
        and may raise, to end it."""
        height, width = pixels.shape[:2]
        if tiling is None:
            return self._look(pixels, weights, network_size(height, width, long_side))
        found = []
        for tile in lay_tiles(height, width, tiling):
            check()
            part = tile.cut(pixels)
            size = tile_size(part.shape[0], part.shape[1], long_side, tiling)
            found.append(tile.seen(self._look(part, weights, size)))
        return join_tiles(found, tiling, MOST_DETECTIONS)

    def _look(self, pixels: npt.NDArray[np.uint8], weights: Mapping[str, Floats], size: tuple[int, int]) -> Prediction:
        height, width = pixels.shape[:2]
        return self.heads.detect(self.features.extract(pixels, size), (height, width), weights)


def load_head_graph(folder: Path, name: str) -> bytes:
    """The shared head graph that a model's description names as `head_graph`, from the folder of prepared backbones.

    Raises FileNotFoundError where it was not prepared: by another version, say.
    """
    if Path(name).name != name:
        raise FileNotFoundError(f"{name!r} is no head graph")
    return (folder / name).read_bytes()
