"""ONNX graphs: the shared backbone, the heads with their weights as inputs, and both merged into one file.

What is evaluated, hosted and bundled is these graphs; the PyTorch modules only train. Inputs and outputs:

backbone  image uint8 (H, W, 3), size int64 (2,) = network height, width   -> c8, c16, c32
until     the same                                  -> what the blocks before the tuned ones give of them, or trunk
heads     c8, c16, c32 or trunk, image_size int64 (2,), one input a weight -> boxes (n, 4), scores (n,), classes (n,)
merged    image uint8 (H, W, 3)                                            -> boxes, scores, classes

Models that leave the backbone as it is share the first graph. Those that tune its later blocks share the second, and a
head graph that holds those blocks as they were before; what moved is among the weights that it is given.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import TensorProto

from training.vision.backbone_graph import LowRank, fold_blocks, is_product, write_from, write_until
from training.vision.boxes import LARGEST_LOG_SIZE
from training.vision.detector import MOST_CANDIDATES, MOST_DETECTIONS, Detector
from training.vision.nodes import (
    GraphWriter,
    write_conv,
    write_double,
    write_group_norm,
    write_scalar,
    write_shape,
)
from training.vision.pyramid import BACKBONE_STRIDES, GROUPS, level_strides
from training.vision.recipes import Recipe
from training.vision.sessions import FEATURES, MULTIPLE, TRUNK
from training.vision.tile_graph import Found, write_tiles
from training.vision.tiling import Tiling
from training.vision.weights import DOWN, SHIFT, UP, Stored, move_weights, restore_weights

if TYPE_CHECKING:  # backbones builds its graphs with this module
    from training.vision.backbones import Backbone
    from training.vision.efficientnet import EfficientNetLite0

PREPROCESSING = "uint8-linear-antialias-2"  # part of every cache key: change it with _write_backbone
FLOAT, INT, BYTE = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8


@dataclass(frozen=True)
class HeadSpec:
    """What the head graph fixes: models that share it differ in weights and classes only."""

    finest: int  # stride of the first pyramid level
    channels: int  # of the pyramid
    depth: int
    anchor_scale: float
    score_threshold: float
    nms_iou: float
    tuned_from: int = 0  # first block of the backbone that was tuned; 0: none was

    def file_name(self, backbone: str) -> str:
        """What its graph is called among the shared graphs."""
        facts = asdict(self)
        if not self.tuned_from:
            del facts["tuned_from"]  # models from before there was a choice keep their graph's name
        return f"{backbone}.heads-{sha256(json.dumps(facts).encode()).hexdigest()[:16]}.onnx"

    def feature_graph(self, backbone: str) -> str:
        """What the shared graph before it is called."""
        return feature_graph_name(backbone, self.tuned_from)

    def cut(self, module: EfficientNetLite0) -> int:
        """The number of blocks before this graph."""
        return self.tuned_from or len(module.blocks)

    def parts(self, module: EfficientNetLite0) -> dict[str, int]:
        """What it takes of the graph before it: names and channels."""
        cut = self.cut(module)
        begun = {
            FEATURES[level]: sum(module.widths[index] for index in taps if index < cut)
            for level, taps in enumerate(module.taps)
            if taps[0] < cut and BACKBONE_STRIDES[level] >= self.finest
        }
        return begun or {TRUNK: module.widths[cut - 1]}

    def inputs(self, channels: Sequence[int]) -> tuple[int, ...]:
        """Widths of the backbone's features that are taken, of `channels` at strides 8, 16 and 32."""
        return tuple(channels[BACKBONE_STRIDES.index(self.finest) :])

    def build_detector(self, channels: Sequence[int], classes: int) -> Detector:
        """The module that this graph repeats, untrained."""
        return Detector(self.inputs(channels), self.channels, self.depth, classes)


def head_spec(recipe: Recipe) -> HeadSpec:
    """The graph that serves a settled recipe's models."""
    return HeadSpec(
        recipe.finest_stride, recipe.pyramid_channels, recipe.tower_depth, recipe.anchor_scale,
        recipe.score_threshold, recipe.nms_iou, recipe.tuned_from,
    )  # fmt: skip


def feature_graph_name(backbone: str, tuned_from: int = 0) -> str:
    """What the shared graph of the blocks that a model leaves as they are is called."""
    return f"{backbone}.until-{tuned_from}.onnx" if tuned_from else f"{backbone}.onnx"


def build_feature_graph(backbone: Backbone, tuned_from: int = 0) -> onnx.ModelProto:
    """The whole backbone, or its blocks before `tuned_from`."""
    writer, module = GraphWriter(), backbone.module
    image, size = writer.take("image", BYTE, ["height", "width", 3]), writer.take("size", INT, [2])
    cut = tuned_from or len(module.blocks)
    writer.fix(fold_blocks(module, 0, cut))
    parts = write_until(writer, module, image, size, cut)
    begun = [name for name, taps in zip(FEATURES, module.taps, strict=True) if taps[0] < cut]
    for name, value in zip(begun or [TRUNK], parts, strict=True):
        writer.give(value, name, FLOAT, [1, "c", "h", "w"])
    return writer.build("backbone", _named(backbone))


def build_head_graph(spec: HeadSpec, module: EfficientNetLite0) -> onnx.ModelProto:
    """`module` is the backbone's; any number of classes fits the graph, and any rank of what moved."""
    writer, cut = GraphWriter(), spec.cut(module)
    parts = [
        writer.take(name, FLOAT, [1, width, f"{name}_h", f"{name}_w"]) for name, width in spec.parts(module).items()
    ]
    moved = _take_moves(writer, module, cut)
    features = write_from(writer, module, parts, cut, moved)[-len(spec.inputs(module.channels)) :]
    image_size = writer.take("image_size", INT, [2])
    with torch.device("meta"):  # shapes only
        detector = spec.build_detector(module.channels, classes=1)
    shapes = {name: list(weight.shape) for name, weight in detector.named_parameters()}
    for name in sorted(shapes):
        writer.take(name, FLOAT, _weight_shape(name, shapes[name]))
    _give(writer, _write_detections(writer, spec, features, image_size))
    return writer.build("heads", {"spec": json.dumps(asdict(spec))})


def merge_graphs(
    backbone: Backbone,
    spec: HeadSpec,
    weights: Stored,
    *,
    long_side: int,
    classes: Sequence[str],
    tiling: Tiling | None = None,
) -> onnx.ModelProto:
    """One self-contained graph of a model's stored weights; its metadata names the classes."""
    writer, module = GraphWriter(), backbone.module
    image = writer.take("image", BYTE, ["height", "width", 3])
    writer.fix(move_weights(fold_blocks(module), restore_weights(weights)))

    def look(inside: GraphWriter, pixels: str, longest: str) -> Found:
        """What is found in a picture, in its pixels."""
        image_size = write_shape(inside, pixels, 0, 2)
        size = write_network_size(inside, image_size, longest)
        features = write_until(inside, module, pixels, size, len(module.blocks))
        return _write_detections(inside, spec, features[BACKBONE_STRIDES.index(spec.finest) :], image_size)

    if tiling is None:
        found = look(writer, image, writer.constant([long_side]))
    else:
        boxes, table = write_tiles(writer, image, look, long_side=long_side, classes=len(classes), tiling=tiling)
        found = _write_suppression(writer, spec, boxes, table)
    _give(writer, found)
    return writer.build(
        "detector", _named(backbone) | {"classes": json.dumps(list(classes)), "long_side": str(long_side)}
    )


def _give(writer: GraphWriter, found: Found) -> None:
    writer.give(found.boxes, "boxes", FLOAT, ["n", 4])
    writer.give(found.scores, "scores", FLOAT, ["n"])
    writer.give(found.classes, "classes", INT, ["n"])


def _take_moves(writer: GraphWriter, module: EfficientNetLite0, cut: int) -> dict[str, LowRank]:
    """The blocks from `cut` on, as they are shared, and as inputs what moved of them."""
    moved = {}
    shared = fold_blocks(module, cut) if cut < len(module.blocks) else {}
    writer.fix(shared)
    for name, weight in shared.items():
        if is_product(weight):
            layer, (outputs, inputs) = name.removesuffix(".weight"), weight.shape[:2]
            moved[layer] = LowRank(
                down=writer.take(layer + DOWN, FLOAT, [f"{layer}.rank", inputs, 1, 1]),
                up=writer.take(layer + UP, FLOAT, [outputs, f"{layer}.rank", 1, 1]),
                shift=writer.take(layer + SHIFT, FLOAT, [outputs]),
            )
    return moved


def _named(backbone: Backbone) -> dict[str, str]:
    return {"backbone": backbone.name, "backbone_sha256": backbone.sha256}


def _weight_shape(name: str, shape: Sequence[int]) -> list[str | int]:
    per_class = name.startswith("class_head.output")
    return ["classes" if per_class and axis == 0 else side for axis, side in enumerate(shape)]


def write_network_size(writer: GraphWriter, image_size: str, long_side: str) -> str:
    """sessions.network_size in integers: (2,), (1,) -> (2,)."""
    longest = writer.add("ReduceMax", image_size, keepdims=1)
    scaled = writer.add("Mul", image_size, writer.add("Mul", long_side, writer.constant([2])))
    raised = writer.add("Add", scaled, writer.add("Mul", longest, writer.constant([MULTIPLE])))
    steps = writer.add("Div", raised, writer.add("Mul", longest, writer.constant([2 * MULTIPLE])))
    return writer.add("Max", writer.add("Mul", steps, writer.constant([MULTIPLE])), writer.constant([MULTIPLE]))


def _write_detections(writer: GraphWriter, spec: HeadSpec, features: list[str], image_size: str) -> Found:
    levels = _write_pyramid(writer, features, spec.channels)
    logits = _write_head(writer, levels, "class_head", spec.depth)  # (A, K)
    deltas = _write_head(writer, levels, "box_head", spec.depth)  # (A, 4)
    centres, sizes = _write_anchors(writer, levels, spec)  # (A, 2), (A, 1)
    scores = writer.add("Sigmoid", logits)
    best = _write_best(writer, scores, MOST_CANDIDATES, per_row=True)
    scores, deltas, centres, sizes = (
        writer.add("Gather", value, best, axis=0) for value in (scores, deltas, centres, sizes)
    )
    network = writer.add("Mul", write_shape(writer, levels[0], 2, 4), writer.constant([spec.finest]))
    boxes = _write_decoding(writer, deltas, centres, sizes, network=network, image_size=image_size)
    return _write_suppression(writer, spec, boxes, scores)


def _write_pyramid(writer: GraphWriter, features: list[str], width: int) -> list[str]:
    levels = []
    for index, feature in enumerate(features):
        x = write_conv(writer, feature, f"pyramid.laterals.{index}.weight")
        levels.append(_write_norm(writer, x, f"pyramid.norms.{index}"))
    for index in range(len(levels) - 1, 0, -1):
        levels[index - 1] = writer.add("Add", levels[index - 1], write_double(writer, levels[index]))
    outputs = []
    for index, level in enumerate(levels):
        name = f"pyramid.smooths.{index}"
        x = write_conv(writer, level, f"{name}.depthwise.weight", pads=(1, 1, 1, 1), groups=width)
        x = write_conv(writer, x, f"{name}.pointwise.weight")
        outputs.append(writer.add("Relu", _write_norm(writer, x, f"{name}.norm")))
    return [*outputs, writer.add("MaxPool", outputs[-1], kernel_shape=[2, 2], strides=[2, 2])]


def _write_norm(writer: GraphWriter, x: str, name: str) -> str:
    return write_group_norm(writer, x, f"{name}.weight", f"{name}.bias", GROUPS)


def _write_head(writer: GraphWriter, levels: list[str], head: str, depth: int) -> str:
    """Four (1, C, h, w) -> (A, outputs)."""
    rows = []
    for level in levels:
        x = level
        for index in range(depth):
            name = f"{head}.tower.{index}"
            x = write_conv(writer, x, f"{name}.conv.weight", pads=(1, 1, 1, 1))
            x = writer.add("Relu", _write_norm(writer, x, f"{name}.norm"))
        x = write_conv(writer, x, f"{head}.output.weight", f"{head}.output.bias", pads=(1, 1, 1, 1))
        flat = writer.add("Reshape", x, writer.constant([0, 0, -1]))  # (1, K, h·w)
        rows.append(writer.add("Squeeze", writer.add("Transpose", flat, perm=[0, 2, 1]), writer.constant([0])))
    return writer.add("Concat", *rows, axis=0)


def _write_anchors(writer: GraphWriter, levels: list[str], spec: HeadSpec) -> tuple[str, str]:
    """Centres x, y (A, 2) and sides (A, 1), from the levels' own shapes."""
    centres, sizes = [], []
    for level, stride in zip(levels, level_strides(spec.finest), strict=True):
        shape = write_shape(writer, level, 2, 4)
        ys, xs = (_write_axis(writer, write_scalar(writer, shape, axis), stride) for axis in (0, 1))
        grid_y = writer.add("Expand", writer.add("Unsqueeze", ys, writer.constant([1])), shape)
        grid_x = writer.add("Expand", writer.add("Unsqueeze", xs, writer.constant([0])), shape)
        column = writer.constant([-1, 1])
        pair = [writer.add("Reshape", grid, column) for grid in (grid_x, grid_y)]
        centres.append(writer.add("Concat", *pair, axis=1))
        zero = writer.add("Mul", pair[0], writer.constant(0, np.float32))
        sizes.append(writer.add("Add", zero, writer.constant(spec.anchor_scale * stride, np.float32)))
    return writer.add("Concat", *centres, axis=0), writer.add("Concat", *sizes, axis=0)


def _write_axis(writer: GraphWriter, count: str, stride: int) -> str:
    steps = writer.add("Range", writer.constant(0), count, writer.constant(1))
    middle = writer.add("Add", writer.add("Cast", steps, to=FLOAT), writer.constant(0.5, np.float32))
    return writer.add("Mul", middle, writer.constant(stride, np.float32))


def _write_best(writer: GraphWriter, scores: str, most: int, *, per_row: bool) -> str:
    """Indices of the `most` best rows (by their best column) or values."""
    values = writer.add("ReduceMax", scores, writer.constant([1]), keepdims=0) if per_row else scores
    count = writer.add("Min", writer.add("Shape", values), writer.constant([most]))
    return writer.add_many("TopK", [values, count], 2)[1]


def _write_decoding(
    writer: GraphWriter, deltas: str, centres: str, sizes: str, *, network: str, image_size: str
) -> str:
    """boxes.decode_boxes, clipped to the network's input and scaled to the image: (k, 4)."""
    offset, log_size = writer.add_many("Split", [deltas], 2, axis=1, num_outputs=2)
    middle = writer.add("Add", centres, writer.add("Mul", offset, sizes))
    limited = writer.add("Min", log_size, writer.constant(LARGEST_LOG_SIZE, np.float32))
    half = writer.add("Mul", writer.add("Mul", sizes, writer.add("Exp", limited)), writer.constant(0.5, np.float32))
    boxes = writer.add("Concat", writer.add("Sub", middle, half), writer.add("Add", middle, half), axis=1)
    order = writer.constant([1, 0, 1, 0])  # height, width -> x, y, x, y
    limits = writer.add("Cast", writer.add("Gather", network, order), to=FLOAT)
    inside = writer.add("Min", writer.add("Max", boxes, writer.constant(0, np.float32)), limits)
    image = writer.add("Cast", writer.add("Gather", image_size, order), to=FLOAT)
    return writer.add("Mul", inside, writer.add("Div", image, limits))


def _write_suppression(writer: GraphWriter, spec: HeadSpec, boxes: str, scores: str) -> Found:
    """Boxes (k, 4) and scores (k, K) -> the best, each class by itself."""
    batch = writer.constant([0])
    table = writer.add("Unsqueeze", writer.add("Transpose", scores, perm=[1, 0]), batch)  # (1, K, k)
    chosen = writer.add(
        "NonMaxSuppression", writer.add("Unsqueeze", boxes, batch), table, writer.constant(MOST_DETECTIONS),
        writer.constant(spec.nms_iou, np.float32), writer.constant(spec.score_threshold, np.float32),
    )  # fmt: skip  # (m, 3): image, class, box
    kept = writer.add("GatherND", table, chosen)
    top = _write_best(writer, kept, MOST_DETECTIONS, per_row=False)
    rows = writer.add("Gather", chosen, top, axis=0)
    classes, indices = (writer.add("Gather", rows, writer.constant(column), axis=1) for column in (1, 2))
    return Found(
        writer.add("Gather", boxes, indices, axis=0), writer.add("Gather", kept, top, axis=0), classes
    )  # fmt: skip
