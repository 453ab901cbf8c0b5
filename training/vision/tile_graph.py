"""Tiles as ONNX nodes: one loop over them, in which a detector looks at one at a time; tiling.py in integers."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from training.vision.metrics import MOST_DETECTIONS
from training.vision.nodes import GraphWriter, write_scalar, write_shape
from training.vision.tiling import Tiling

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
_NOT_THERE = -1.0  # the score of what a tile does not answer for


class Found(NamedTuple):
    """Boxes (n, 4) in pixels, scores (n,) and classes (n,)."""

    boxes: str
    scores: str
    classes: str


Look = Callable[[GraphWriter, str, str], Found]  # a picture, and its network's longer side (1,)


def write_tiles(
    writer: GraphWriter, image: str, look: Look, *, long_side: int, classes: int, tiling: Tiling
) -> tuple[str, str]:
    """All that tiles find in uint8 (H, W, 3): boxes (n, 4) in pixels of the image, and scores (n, K)."""
    image_size = write_shape(writer, image, 0, 2)
    counts = _write_counts(writer, image_size, tiling)  # rows and columns of tiles
    body = writer.body("tile.")
    number, goes = body.take("tile.number", INT, []), body.take("tile.goes", BOOL, [])
    columns = write_scalar(body, counts, 1)
    places = (body.add("Div", number, columns), body.add("Mod", number, columns))
    at = body.add("Concat", *(body.add("Unsqueeze", place, body.constant([0])) for place in places), axis=0)
    begins = _write_begins(body, at, image_size, counts, tiling)
    ends = body.add("Min", body.add("Add", begins, body.constant([tiling.side])), image_size)
    part = body.add("Slice", image, begins, ends, body.constant([0, 1]))
    longest = body.add("ReduceMax", write_shape(body, part, 0, 2), keepdims=1)
    scaled = body.add("Mul", longest, body.constant([long_side]))
    found = look(body, part, body.add("Div", scaled, body.constant([tiling.side])))
    corner = body.add("Cast", body.add("Gather", begins, body.constant([1, 0, 1, 0])), to=FLOAT)
    boxes = body.add("Add", found.boxes, corner)
    low, high = _write_zone(body, at, image_size, counts, tiling)
    scores = _write_answered(body, boxes, found.scores, low, high)
    body.give(goes, "tile.goes_on", BOOL, [])
    body.give(_pad(body, boxes, 0.0, [MOST_DETECTIONS, 4]), "tile.boxes", FLOAT, [MOST_DETECTIONS, 4])
    body.give(_pad(body, scores, _NOT_THERE, [MOST_DETECTIONS]), "tile.scores", FLOAT, [MOST_DETECTIONS])
    labels = body.add("Cast", found.classes, to=FLOAT)
    body.give(_pad(body, labels, 0.0, [MOST_DETECTIONS]), "tile.classes", FLOAT, [MOST_DETECTIONS])
    looked = writer.add_many(
        "Loop", [writer.add("ReduceProd", counts, keepdims=0), ""], 3, body=body.build_body("tile")
    )
    boxes = writer.add("Reshape", looked[0], writer.constant([-1, 4]))
    scores = writer.add("Reshape", looked[1], writer.constant([-1, 1]))
    labels = writer.add("Reshape", writer.add("Cast", looked[2], to=INT), writer.constant([-1]))
    table = writer.add("OneHot", labels, writer.constant([classes]), writer.constant([0, 1], np.float32), axis=1)
    return boxes, writer.add("Mul", table, scores)


def _write_counts(writer: GraphWriter, image_size: str, tiling: Tiling) -> str:
    """The number of tiling.spread_tiles along each axis: (2,) -> (2,)."""
    step = tiling.side - tiling.overlap
    raised = writer.add("Add", image_size, writer.constant([step - 1 - tiling.overlap]))
    return writer.add("Max", writer.add("Div", raised, writer.constant([step])), writer.constant([1]))


def _write_begins(writer: GraphWriter, at: str, image_size: str, counts: str, tiling: Tiling) -> str:
    """tiling.spread_tiles of row and column: (2,) -> (2,)."""
    one, none = writer.constant([1]), writer.constant([0])
    room = writer.add("Max", writer.add("Sub", image_size, writer.constant([tiling.side])), none)
    last = writer.add("Max", writer.add("Sub", counts, one), one)
    return writer.add("Div", writer.add("Mul", at, room), last)


def _write_zone(writer: GraphWriter, at: str, image_size: str, counts: str, tiling: Tiling) -> tuple[str, str]:
    """Where the zone of row and column begins and ends: y, x each."""
    one = writer.constant([1])

    def border(before: str) -> str:
        """Between the tiles there and one further."""
        pair = (before, writer.add("Add", before, one))
        begins = [_write_begins(writer, place, image_size, counts, tiling) for place in pair]
        joined = writer.add("Add", writer.add("Add", *begins), writer.constant([tiling.side]))
        return writer.add("Cast", writer.add("Div", joined, writer.constant([2])), to=FLOAT)

    edge = writer.constant([2.0**31], np.float32)
    is_first = writer.add("Equal", at, writer.constant([0]))
    is_last = writer.add("Equal", at, writer.add("Sub", counts, one))
    low = writer.add("Where", is_first, writer.add("Neg", edge), border(writer.add("Sub", at, one)))
    return low, writer.add("Where", is_last, edge, border(at))


def _write_answered(writer: GraphWriter, boxes: str, scores: str, low: str, high: str) -> str:
    """The scores, but _NOT_THERE where the middle of a box does not lie in the zone."""
    starts, ends = writer.add_many("Split", [boxes], 2, axis=1, num_outputs=2)
    middles = writer.add("Mul", writer.add("Add", starts, ends), writer.constant(0.5, np.float32))
    turned = writer.constant([1, 0])  # y, x -> x, y
    inside = writer.add(
        "And",
        writer.add("GreaterOrEqual", middles, writer.add("Gather", low, turned)),
        writer.add("Less", middles, writer.add("Gather", high, turned)),
    )
    both = writer.add("ReduceMin", writer.add("Cast", inside, to=FLOAT), writer.constant([1]), keepdims=0)
    is_own = writer.add("Cast", both, to=BOOL)
    return writer.add("Where", is_own, scores, writer.constant(_NOT_THERE, np.float32))


def _pad(writer: GraphWriter, value: str, filling: float, shape: list[int]) -> str:
    """The rows, and as many more as there may be: a loop's outputs are of one shape."""
    filled = writer.weight(f"filling_{filling}_{len(shape)}", np.full(shape, filling, np.float32))
    rows = writer.add("Concat", value, filled, axis=0)
    return writer.add("Slice", rows, writer.constant([0]), writer.constant([MOST_DETECTIONS]), writer.constant([0]))
