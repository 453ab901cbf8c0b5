"""Large images as overlapping tiles: which there are, and which of them answers for a place. numpy alone.

A tile answers for the boxes whose middle lies in its zone, and zones divide the image among the tiles. They end half an
overlap before the tile does, so a defect no larger than the overlap is whole in the tile that answers for it: it is
found once, and never as a half.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from training.vision.metrics import compute_ious
from training.vision.predictions import Prediction


@dataclass(frozen=True)
class Tiling:
    """Tiles of `side` pixels of the image, which overlap by `overlap` or more.

    Boxes of one class from two tiles that overlap by more than `nms_iou` are one.
    """

    side: int
    overlap: int
    nms_iou: float

    def __post_init__(self) -> None:
        if not 0 < self.overlap < self.side:
            raise ValueError(f"tiles of {self.side} pixels cannot overlap by {self.overlap}")


def read_tiling(description: Mapping[str, Any]) -> Tiling | None:
    """Of a model's description. Raises TypeError or ValueError where it is none."""
    given = description.get("tiling")
    return Tiling(**given) if given else None


@dataclass(frozen=True)
class Tile:
    """A part of an image, x1, y1, x2, y2 in pixels, and its zone likewise; a zone at the image's edge has no end."""

    place: tuple[int, int, int, int]
    zone: tuple[float, float, float, float]

    def cut(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        x1, y1, x2, y2 = self.place
        return np.ascontiguousarray(pixels[y1:y2, x1:x2])

    def answers_for(self, boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Of boxes (n, 4) in pixels of the image, those whose middle lies in the zone."""
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = (middles >= np.array(self.zone[:2])) & (middles < np.array(self.zone[2:]))
        return np.asarray(inside.all(axis=1))

    def seen(self, found: Prediction) -> Prediction:
        """Of what was found in the tile, that for which it answers, in pixels of the image."""
        boxes = found.boxes + np.array(self.place[:2] * 2, np.float32)
        kept = self.answers_for(boxes)
        return Prediction(boxes[kept], found.scores[kept], found.classes[kept])


def spread_tiles(length: int, tiling: Tiling) -> list[int]:
    """Where tiles begin along a side of so many pixels: as few as there may be, evenly."""
    count = max(1, -(-(length - tiling.overlap) // (tiling.side - tiling.overlap)))
    room = max(length - tiling.side, 0)
    return [number * room // max(count - 1, 1) for number in range(count)]


def lay_tiles(height: int, width: int, tiling: Tiling) -> Iterator[Tile]:
    """Row by row."""
    for top, bottom, upper, lower in _lay_axis(height, tiling):
        for left, right, first, last in _lay_axis(width, tiling):
            yield Tile((left, top, right, bottom), (first, upper, last, lower))


def _lay_axis(length: int, tiling: Tiling) -> list[tuple[int, int, float, float]]:
    """Begin and end of each tile, and of its zone."""
    begins = spread_tiles(length, tiling)
    borders = [(after + before + tiling.side) // 2 for before, after in pairwise(begins)]
    starts, ends = [-np.inf, *borders], [*borders, np.inf]
    return [
        (begin, min(begin + tiling.side, length), start, end)
        for begin, start, end in zip(begins, starts, ends, strict=True)
    ]


def join_tiles(found: Sequence[Prediction], tiling: Tiling, most: int) -> Prediction:
    """What several tiles found, in pixels of the image, as one answer of the `most` best."""
    boxes = np.concatenate([one.boxes for one in found])
    scores = np.concatenate([one.scores for one in found])
    classes = np.concatenate([one.classes for one in found])
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        rivals = [other for other in kept if classes[other] == classes[index]]
        if not rivals or compute_ious(boxes[[index]], boxes[rivals]).max() <= tiling.nms_iou:
            kept.append(int(index))
        if len(kept) == most:
            break
    return Prediction(boxes[kept], scores[kept], classes[kept])
