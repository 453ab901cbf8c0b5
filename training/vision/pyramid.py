"""Feature pyramid: strides 8, 16, 32 of the backbone become four levels of equal width, the fourth at stride 64."""

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32, 64)
GROUPS = 8  # of the group norm: independent of the batch, so one image and eight give the same features


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
    """[(N, C8, H/8, W/8), (N, C16, …), (N, C32, …)] -> four (N, `channels`, H/s, W/s), s in STRIDES.

    The lateral's group norm takes away the scale that the frozen features happen to have.
    """

    def __init__(self, inputs: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1, bias=False) for width in inputs)
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for _ in inputs)
        self.smooths = nn.ModuleList(SeparableNorm(channels) for _ in inputs)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        levels: list[Tensor] = [
            norm(lateral(x)) for lateral, norm, x in zip(self.laterals, self.norms, features, strict=True)
        ]
        for index in range(len(levels) - 1, 0, -1):
            levels[index - 1] = levels[index - 1] + functional.interpolate(
                levels[index], scale_factor=2.0, mode="nearest"
            )
        outputs = [smooth(level) for smooth, level in zip(self.smooths, levels, strict=True)]
        return [*outputs, functional.max_pool2d(outputs[-1], 2)]
