"""Anchors: one square a cell, centred on it. Sizes other than that are the box head's work."""

import torch
from torch import Tensor

from training.vision.pyramid import level_strides


def level_shapes(height: int, width: int, finest: int = 8) -> list[tuple[int, int]]:
    """(rows, columns) of every pyramid level of a (height, width) input whose sides are multiples of 64."""
    return [(height // stride, width // stride) for stride in level_strides(finest)]


def make_anchors(height: int, width: int, scale: float, finest: int = 8) -> Tensor:
    """(sum of rows·columns, 4) in input pixels, levels in order, rows first; side = `scale` · stride."""
    levels = []
    for stride, (rows, columns) in zip(level_strides(finest), level_shapes(height, width, finest), strict=True):
        ys = (torch.arange(rows, dtype=torch.float32) + 0.5) * stride
        xs = (torch.arange(columns, dtype=torch.float32) + 0.5) * stride
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        centres = torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)
        half = scale * stride / 2
        levels.append(torch.cat([centres - half, centres + half], dim=1))
    return torch.cat(levels)
