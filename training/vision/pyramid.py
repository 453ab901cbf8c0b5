"""Feature pyramid: strides 8, 16, 32 of the backbone become levels of equal width, with one more at stride 64.

Where boxes are large the level of stride 8 is left out: it has three quarters of all cells and none of the boxes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32, 64)
BACKBONE_STRIDES = STRIDES[:3]
GROUPS = 8  # of the group norm: independent of the batch, so one image and eight give the same features


def level_strides(finest: int) -> tuple[int, ...]:
    """Strides of the levels from the `finest` one on."""
    return STRIDES[STRIDES.index(finest) :]


class SeparableNorm(nn.Module):
    """Depthwise 3 × 3, pointwise, group norm, ReLU: (N, C, H, W) -> (N, C, H, W) at a ninth of a full one's weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.pointwise(self.depthwise(x))))


class Pyramid(nn.Module):
    """[(N, C8, H/8, W/8), (N, C16, …), (N, C32, …)] -> (N, `channels`, H/s, W/s) for each stride s.

    Given fewer `inputs`, it takes as many of the last features.
    The lateral's group norm takes away the scale that the frozen features happen to have.
    """

    def __init__(self, inputs: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1, bias=False) for width in inputs)
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for _ in inputs)
        self.smooths = nn.ModuleList(SeparableNorm(channels) for _ in inputs)

    def forward(self, features: list[Tensor], corners: Sequence[tuple[int, int]] = ()) -> list[Tensor]:
        """With `corners`, the first feature of each image is a window with that corner (row, column, in cells)."""
        levels: list[Tensor] = [
            norm(lateral(x))
            for lateral, norm, x in zip(self.laterals, self.norms, features[-len(self.norms) :], strict=True)
        ]
        for index in range(len(levels) - 1, 0, -1):
            above = levels[index] if index > 1 or not corners else _cut(levels[1], corners, levels[0])
            levels[index - 1] = levels[index - 1] + functional.interpolate(above, scale_factor=2.0, mode="nearest")
        outputs = [smooth(level) for smooth, level in zip(self.smooths, levels, strict=True)]
        return [*outputs, functional.max_pool2d(outputs[-1], 2)]


def _cut(level: Tensor, corners: Sequence[tuple[int, int]], finer: Tensor) -> Tensor:
    """The parts of a coarser level that lie behind the windows of the finer one."""
    height, width = finer.shape[2] // 2, finer.shape[3] // 2
    return torch.stack(
        [
            image[:, row // 2 : row // 2 + height, column // 2 : column // 2 + width]
            for image, (row, column) in zip(level, corners, strict=True)
        ]
    )
