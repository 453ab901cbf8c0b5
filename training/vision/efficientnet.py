"""EfficientNet-Lite0 in PyTorch: pictures in, features at strides 8, 16 and 32 out.

It is EfficientNet-B0 without squeeze-and-excite, with ReLU6, its stem and head not scaled. The weights were trained in
TensorFlow, so strided convolutions pad like it ("SAME": the odd pixel goes right and below).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.vision.pyramid import BACKBONE_STRIDES

# (kernel, stride, expansion, channels, repeats) of each stage
_LITE0_STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip


class WrongWeights(ValueError):
    """The weights are not the ones that were pinned."""


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's SAME padding, frozen batch norm, optionally ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False, groups=groups)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.folded()
        if self.conv.kernel_size == (1, 1):
            # As a product of matrices: a third less time than the same as a convolution, on one thread.
            x = functional.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias).permute(0, 3, 1, 2)
        else:
            padded = functional.pad(x, self.padding())
            x = functional.conv2d(padded, weight, bias, self.conv.stride, groups=self.conv.groups)
        return functional.relu6(x) if self.act else x  # its gradient costs a tenth of clamp's

    def padding(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom for sides that the stride divides."""
        total = self.conv.kernel_size[0] - self.conv.stride[0]
        return (total // 2, total - total // 2) * 2

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the one convolution that equals this one and its norm."""
        if self.norm.running_mean is None or self.norm.running_var is None:
            raise WrongWeights("batch statistics are missing")
        scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        return self.conv.weight * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; added to its input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.layers = nn.Sequential(
            *([ConvNorm(inputs, wide, 1)] if expansion > 1 else []),
            ConvNorm(wide, wide, kernel, stride=stride, groups=wide),
            ConvNorm(wide, outputs, 1, act=False),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)  # type: ignore[no-any-return]  # nn.Module


class EfficientNetLite0(nn.Module):
    """(N, 3, H, W) of 0..255 RGB, sides multiples of 32 -> (N, 80, H/8, W/8), (N, 576, H/16, …), (N, 1088, H/32, …).

    Each feature is the outputs of all blocks of its stride: what a frozen backbone's last block has dropped, because
    it tells no ImageNet class, may well tell a defect (AP50 on steel: 0.46 instead of 0.40).
    """

    channels = (80, 576, 1088)
    mean, scale = 127.0, 1 / 128.0
    trunk_blocks = 3

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, stride=2)
        blocks: list[Block] = []
        self.taps: tuple[list[int], ...] = ([], [], [])  # blocks whose outputs are joined, of strides 8, 16 and 32
        inputs = 32
        reached = 2
        for kernel, stride, expansion, outputs, repeats in _LITE0_STAGES:
            reached *= stride
            for repeat in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
                inputs = outputs
                if reached in BACKBONE_STRIDES:
                    self.taps[BACKBONE_STRIDES.index(reached)].append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.forward_tail(self.forward_trunk(images))

    def forward_trunk(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 24, H/4, W/4): what no training changes, edges and spots of any picture."""
        x = self.stem((images - self.mean) * self.scale)
        for block in self.blocks[: self.trunk_blocks]:
            x = block(x)
        return x  # type: ignore[no-any-return]  # nn.Module

    def forward_tail(self, x: Tensor) -> list[Tensor]:
        """(N, 24, H/4, W/4) -> the features."""
        outputs = []
        for block in self.tail:
            x = block(x)
            outputs.append(x)
        return [torch.cat([outputs[index - self.trunk_blocks] for index in taps], dim=1) for taps in self.taps]

    @property
    def tail(self) -> nn.ModuleList:
        """The blocks after the trunk; every feature comes out of one of them."""
        return self.blocks[self.trunk_blocks :]
