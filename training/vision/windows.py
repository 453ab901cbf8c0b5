"""Windows: of a large view only a part of the finest level is learnt in a step.

Three quarters of all cells are of the finest level, and nearly all of those show nothing. Coarser levels are learnt
whole, so that no large box is ever cut.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.vision.anchors import level_shapes

CELLS = 8  # a window's corner and sides are multiples of it: those of 64 pixels, as the coarsest level's cells


def choose_window(size: tuple[int, int], side: int) -> tuple[int, int] | None:
    """Rows and columns, in cells of the finest level of a (height, width) view; None where all of it is taken."""
    rows, columns = level_shapes(*size)[0]
    window = min(side // 8, rows), min(side // 8, columns)
    return window if side and window[0] * window[1] < rows * columns else None


def choose_corner(
    boxes: npt.NDArray[np.float32], size: tuple[int, int], window: tuple[int, int], draw: list[int]
) -> tuple[int, int]:
    """Row and column of the window's first cell: around one of the boxes, or anywhere; decided by `draw` only."""
    rng = np.random.default_rng(draw)
    rows, columns = level_shapes(*size)[0]
    spans = (rows - window[0], columns - window[1])  # of the corners there are
    if not len(boxes):
        return tuple(int(rng.integers(span // CELLS + 1)) * CELLS for span in spans)  # type: ignore[return-value]  # two
    box = boxes[int(rng.integers(len(boxes)))]
    corner = []
    for span, side, low, high in zip(spans, window, (box[1], box[0]), (box[3], box[2]), strict=True):
        middle = float(rng.uniform(low, high)) / 8
        wanted = middle - float(rng.uniform(0.2, 0.8)) * side
        corner.append(int(np.clip(round(wanted / CELLS), 0, span // CELLS)) * CELLS)
    return corner[0], corner[1]


def window_cells(size: tuple[int, int], window: tuple[int, int], corner: tuple[int, int]) -> Tensor:
    """Indices, among all anchors of the view, of the window's and of all coarser ones."""
    rows, columns = level_shapes(*size)[0]
    down = torch.arange(corner[0], corner[0] + window[0])[:, None] * columns
    inside = (down + torch.arange(corner[1], corner[1] + window[1])).flatten()
    every = sum(r * c for r, c in level_shapes(*size))
    return torch.cat([inside, torch.arange(rows * columns, every)])
