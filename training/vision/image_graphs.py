"""ONNX graphs of the kinds that judge a whole image. What is learnt from is computed by the nodes that serve.

description     c16, c32                       -> pooled (D,), cells (C, n)
classification  c16, c32, one input a weight   -> probabilities (K,)
anomaly         c16, c32, one input a weight   -> score (1,), heat (h, w)
merged          image uint8 (H, W, 3)          -> as its kind

A cell is a place of stride 32: what the backbone says of it at that stride, and the mean of what it says at stride 16.
`pooled` has of c16 and then of c32 all channels' means, deviations, and means of their highest and lowest twentieth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto

from training.vision.backbone_graph import fold_blocks, write_until
from training.vision.graph import write_network_size
from training.vision.image_recipes import ANOMALY, CLASSIFICATION
from training.vision.nodes import GraphWriter, write_shape
from training.vision.sessions import FEATURES
from training.vision.weights import Floats

if TYPE_CHECKING:  # backbones builds its graphs with this module
    from training.vision.backbones import Backbone
    from training.vision.efficientnet import EfficientNetLite0

FLOAT, BYTE = TensorProto.FLOAT, TensorProto.UINT8
POOLS = 4  # statistics of a channel
# Names of the weights.
POOL_MEAN, POOL_WEIGHT, POOL_BIAS, SURPRISE_WEIGHT = "pool.mean", "pool.weight", "pool.bias", "surprise.weight"
CELL_MEAN, CELL_SCALE, CELL_BASIS = "cells.mean", "cells.scale", "cells.basis"


@dataclass(frozen=True)
class ImageSpec:
    """What a head graph fixes: models that share it differ in weights, classes and number of components only."""

    kind: str
    extreme: int = 20  # a channel's highest and lowest are each one of so many of its places
    hottest: int = 3  # per cent of the cells, those least like good ones, whose mean counts

    def file_name(self, backbone: str) -> str:
        """What its graph is called among the shared graphs."""
        digest = sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{backbone}.heads-{self.kind.lower()}-{digest[:16]}.onnx"


SPECS = {kind: ImageSpec(kind) for kind in (CLASSIFICATION, ANOMALY)}


def build_description_graph(module: EfficientNetLite0) -> onnx.ModelProto:
    """What both kinds learn from."""
    writer, spec = GraphWriter(), ImageSpec(CLASSIFICATION)
    features = _take_features(writer, module)
    writer.give(_write_pooled(writer, spec, features), "pooled", FLOAT, [pooled_width(module)])
    writer.give(_write_columns(writer, _write_cells(writer, features)), "cells", FLOAT, [cell_width(module), "n"])
    return writer.build("description", {})


def build_image_head_graph(spec: ImageSpec, module: EfficientNetLite0) -> onnx.ModelProto:
    """The shared graph that takes the weights of any model of its kind."""
    writer, width = GraphWriter(), cell_width(module)
    features = _take_features(writer, module)
    shapes: dict[str, list[str | int]] = {
        CELL_MEAN: [width], CELL_SCALE: [width], CELL_BASIS: [width, "components"],
    }  # fmt: skip
    if spec.kind == CLASSIFICATION:
        pooled = pooled_width(module)
        shapes |= {POOL_MEAN: [pooled], POOL_WEIGHT: [pooled, "classes"]}
        shapes |= {POOL_BIAS: ["classes"], SURPRISE_WEIGHT: ["classes"]}
    for name in sorted(shapes):
        writer.take(name, FLOAT, shapes[name])
    _HEADS[spec.kind](writer, spec, features)
    return writer.build(f"{spec.kind.lower()} heads", {"spec": json.dumps(asdict(spec))})


def merge_image_graphs(
    backbone: Backbone, spec: ImageSpec, weights: Mapping[str, Floats], *, long_side: int, classes: list[str]
) -> onnx.ModelProto:
    """One self-contained graph of a model's restored weights; its metadata names the classes."""
    writer, module = GraphWriter(), backbone.module
    image = writer.take("image", BYTE, ["height", "width", 3])
    writer.fix(fold_blocks(module) | dict(weights))
    size = write_network_size(writer, write_shape(writer, image, 0, 2), writer.constant([long_side]))
    features = write_until(writer, module, image, size, len(module.blocks))
    _HEADS[spec.kind](writer, spec, features[1:])
    facts = {"kind": spec.kind, "classes": json.dumps(classes), "long_side": str(long_side)}
    return writer.build(
        spec.kind.lower(), facts | {"backbone": backbone.name, "backbone_sha256": backbone.sha256}
    )  # fmt: skip


def pooled_width(module: EfficientNetLite0) -> int:
    return POOLS * sum(module.channels[1:])


def cell_width(module: EfficientNetLite0) -> int:
    return sum(module.channels[1:])


def _take_features(writer: GraphWriter, module: EfficientNetLite0) -> list[str]:
    pairs = zip(FEATURES[1:], module.channels[1:], strict=True)
    return [writer.take(name, FLOAT, [1, width, f"{name}_h", f"{name}_w"]) for name, width in pairs]


def _write_classification(writer: GraphWriter, spec: ImageSpec, features: list[str]) -> None:
    """Softmax of a linear function of the pooled features and of how far the image is from good ones."""
    centred = writer.add("Sub", _write_pooled(writer, spec, features), POOL_MEAN)
    logits = writer.add("Add", writer.add("MatMul", centred, POOL_WEIGHT), POOL_BIAS)
    distances = _write_distances(writer, _write_cells(writer, features), relative=False)
    surprise = writer.add("Mul", _write_hottest(writer, spec, distances), SURPRISE_WEIGHT)
    probabilities = writer.add("Softmax", writer.add("Add", logits, surprise), axis=-1)
    writer.give(probabilities, "probabilities", FLOAT, ["classes"])


def _write_anomaly(writer: GraphWriter, spec: ImageSpec, features: list[str]) -> None:
    """How far the image's cells are from good ones, as shares of what they are: 0 to 1."""
    cells = _write_cells(writer, features)
    distances = _write_distances(writer, cells, relative=True)
    writer.give(_write_hottest(writer, spec, distances), "score", FLOAT, [1])
    writer.give(writer.add("Reshape", distances, write_shape(writer, cells, 2, 4)), "heat", FLOAT, ["h", "w"])


_HEADS: dict[str, Callable[[GraphWriter, ImageSpec, list[str]], None]] = {
    CLASSIFICATION: _write_classification,
    ANOMALY: _write_anomaly,
}


def _write_cells(writer: GraphWriter, features: list[str]) -> str:
    """c16, c32 -> (1, C, h, w)."""
    fine, coarse = features
    halved = writer.add("AveragePool", fine, kernel_shape=[2, 2], strides=[2, 2])
    return writer.add("Concat", halved, coarse, axis=1)


def _write_columns(writer: GraphWriter, x: str) -> str:
    """(1, C, h, w) -> (C, h·w)."""
    return writer.add("Reshape", writer.add("Squeeze", x, writer.constant([0])), writer.constant([0, -1]))


def _write_pooled(writer: GraphWriter, spec: ImageSpec, features: list[str]) -> str:
    last, parts = writer.constant([1]), []
    for feature in features:
        x = _write_columns(writer, feature)
        mean = writer.add("ReduceMean", x, last, keepdims=1)
        centred = writer.add("Sub", x, mean)
        variance = writer.add("ReduceMean", writer.add("Mul", centred, centred), last, keepdims=0)
        share = writer.add("Div", write_shape(writer, x, 1, 2), writer.constant([spec.extreme]))
        count = writer.add("Max", share, writer.constant([1]))
        parts += [writer.add("Squeeze", mean, last), writer.add("Sqrt", variance)]
        for largest in (1, 0):
            ends = writer.add_many("TopK", [x, count], 2, axis=1, largest=largest)[0]
            parts.append(writer.add("ReduceMean", ends, last, keepdims=0))
    return writer.add("Concat", *parts, axis=0)


def _write_distances(writer: GraphWriter, cells: str, *, relative: bool) -> str:
    """Length of what the subspace of good cells lacks of each cell, (n,); `relative`: as a share of the whole."""
    columns, first = _write_columns(writer, cells), writer.constant([0])
    mean, scale = (writer.add("Unsqueeze", name, writer.constant([1])) for name in (CELL_MEAN, CELL_SCALE))
    x = writer.add("Div", writer.add("Sub", columns, mean), scale)
    inside = writer.add("MatMul", writer.add("Transpose", CELL_BASIS, perm=[1, 0]), x)
    whole, known = (writer.add("ReduceSum", writer.add("Mul", v, v), first, keepdims=0) for v in (x, inside))
    rest = writer.add("Max", writer.add("Sub", whole, known), writer.constant(0, np.float32))
    if relative:
        rest = writer.add("Div", rest, writer.add("Max", whole, writer.constant(1e-6, np.float32)))
    return writer.add("Sqrt", rest)


def _write_hottest(writer: GraphWriter, spec: ImageSpec, distances: str) -> str:
    """Mean of the largest, (1,): `spec.hottest` per cent of them, rounded, and at least one."""
    hundredfold = writer.add("Mul", write_shape(writer, distances, 0, 1), writer.constant([spec.hottest]))
    count = writer.add("Div", writer.add("Add", hundredfold, writer.constant([50])), writer.constant([100]))
    top = writer.add_many("TopK", [distances, writer.add("Max", count, writer.constant([1]))], 2)[0]
    return writer.add("ReduceMean", top, writer.constant([0]), keepdims=1)
