"""RetinaNet heads: for every cell of every level, a score a class and one box; weights are shared over levels."""

import math

import torch
from torch import Tensor, nn

from training.vision.pyramid import GROUPS

PRIOR = 0.01  # score of every class before training: focal loss diverges when 3,000 empty cells start at 0.5


class ConvGroupNorm(nn.Module):
    """3 × 3 convolution, group norm, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


class Head(nn.Module):
    """A tower and its output: list of (N, C, H, W) -> (N, sum of H·W, `outputs`), levels in order, rows first."""

    def __init__(self, channels: int, depth: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.tower = nn.Sequential(*(ConvGroupNorm(channels) for _ in range(depth)))
        self.output = nn.Conv2d(channels, outputs, 3, padding=1)
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.constant_(self.output.bias, bias)  # type: ignore[arg-type]  # made with a bias just above

    def forward(self, levels: list[Tensor]) -> Tensor:
        # (N, K, H, W) -> (N, H·W, K)
        return torch.cat([self.output(self.tower(level)).flatten(2).transpose(1, 2) for level in levels], dim=1)


def build_class_head(channels: int, depth: int, classes: int) -> Head:
    return Head(channels, depth, classes, bias=-math.log((1 - PRIOR) / PRIOR))


def build_box_head(channels: int, depth: int) -> Head:
    return Head(channels, depth, 4)
