"""EfficientNet-Lite0 in PyTorch: pictures in, features at strides 8, 16 and 32 out.

It is EfficientNet-B0 without squeeze-and-excite, with ReLU6, its stem and head not scaled. The weights were trained in
TensorFlow, so strided convolutions pad like it ("SAME": the odd pixel goes right and below).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.vision.pyramid import BACKBONE_STRIDES

# (kernel, stride, expansion, channels, repeats) of each stage
_LITE0_STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
# A processor without them computes in bfloat16 too, but slower than in float32.
HAS_BFLOAT16 = any(torch.cpu.get_capabilities().get(name, False) for name in ("avx512_bf16", "amx_bf16"))


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
            x = _multiply(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias).permute(0, 3, 1, 2)
        elif self.conv.stride == (1, 1):
            x = _filter(x, weight, bias, self.conv.groups)
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


def _multiply(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Where gradients are wanted, and the processor has bfloat16 products: with those, in less than half the time."""
    if HAS_BFLOAT16 and torch.is_grad_enabled() and weight.requires_grad:
        return functional.linear(x.bfloat16(), weight.bfloat16(), bias.bfloat16()).float()
    return functional.linear(x, weight, bias)


def _filter(x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
    """A convolution that keeps the size."""
    if groups == len(weight) and torch.is_grad_enabled() and not weight.requires_grad:
        return _FixedFilters.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]  # torch's own
    return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=groups)


class _FixedFilters(torch.autograd.Function):
    """Filters of single channels that do not learn.

    Their gradient is the same convolution with the filters turned round; as such it takes a third of torch's own time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor]:
        (weight,) = ctx.saved_tensors
        turned = weight.flip(2, 3)
        moved = functional.conv2d(gradient, turned, padding=weight.shape[-1] // 2, groups=len(weight))
        return moved, None, gradient.sum((0, 2, 3))


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

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, stride=2)
        blocks: list[Block] = []
        self.widths: list[int] = []  # of each block's output
        self.taps: tuple[list[int], ...] = ([], [], [])  # blocks whose outputs are joined, of strides 8, 16 and 32
        inputs = 32
        reached = 2
        for kernel, stride, expansion, outputs, repeats in _LITE0_STAGES:
            reached *= stride
            for repeat in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
                self.widths.append(outputs)
                inputs = outputs
                if reached in BACKBONE_STRIDES:
                    self.taps[BACKBONE_STRIDES.index(reached)].append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.forward_until(images, len(self.blocks))

    def forward_until(self, images: Tensor, cut: int) -> list[Tensor]:
        """The parts of the features that blocks before `cut` give; the last part ends with the last one's output.

        Where no feature is begun by then, that output alone.
        """
        x = self.stem((images - self.mean) * self.scale)
        outputs = []
        for block in self.blocks[:cut]:
            x = block(x)
            outputs.append(x)
        return [torch.cat(outputs[taps[0] : taps[-1] + 1], dim=1) for taps in self.taps if taps[0] < cut] or [x]

    def forward_from(self, parts: Sequence[Tensor], cut: int) -> list[Tensor]:
        """The features of what forward_until gave, from the first part that is given on."""
        x = parts[-1][:, -self.widths[cut - 1] :]
        levels = self.levels_from(cut, len(parts))
        joined = [[parts[part]] if part is not None else [] for _, part in levels]
        for index, block in enumerate(self.blocks[cut:], start=cut):
            x = block(x)
            for (level, _), outputs in zip(levels, joined, strict=True):
                if index in self.taps[level]:
                    outputs.append(x)
        return [torch.cat(outputs, dim=1) for outputs in joined]

    def levels_from(self, cut: int, parts: int) -> list[tuple[int, int | None]]:
        """The features that come of so many parts before `cut`: number, and which part begins it, if any does."""
        begun = [level for level, taps in enumerate(self.taps) if taps[0] < cut]
        given = begun[len(begun) - parts :] if begun else []
        first = given[0] if given else 0
        return [(level, given.index(level) if level in given else None) for level in range(first, len(self.taps))]
