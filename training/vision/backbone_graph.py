"""The backbone as ONNX nodes: stem and blocks, their weights by name, so that a graph may fix them or be given them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from training.vision.efficientnet import ConvNorm, EfficientNetLite0
from training.vision.nodes import GraphWriter, write_conv, write_preprocessing

Folded = dict[str, npt.NDArray[np.float32]]
_END = 2**31 - 1  # of an axis, wherever that is


@dataclass(frozen=True)
class LowRank:
    """How a 1 × 1 convolution moved: its weight by up (O, r, 1, 1) times down (r, I, 1, 1), its bias by shift (O,).

    Names of a graph's inputs. The convolution itself stays a constant, which runtimes lay out beforehand.
    """

    down: str
    up: str
    shift: str


def fold_blocks(module: EfficientNetLite0, start: int = 0, end: int | None = None) -> Folded:
    """Weights and biases, norms folded in, of these blocks, and of the stem where they begin with the first."""
    folded = _fold("backbone.stem", module.stem) if start == 0 else {}
    for index in range(len(module.blocks))[start:end]:
        for number, layer in enumerate(layers(module.blocks[index])):
            folded |= _fold(layer_name(index, number), layer)
    return folded


def write_until(writer: GraphWriter, module: EfficientNetLite0, image: str, size: str, cut: int) -> list[str]:
    """EfficientNetLite0.forward_until of a picture uint8 (H, W, 3) at network size (2,); the writer knows weights."""
    x = write_preprocessing(writer, image, size, module.mean, module.scale)
    x = _write_conv_norm(writer, x, module.stem, "backbone.stem")
    outputs = []
    for index in range(cut):
        x = _write_block(writer, x, module, index, {})
        outputs.append(x)
    begun = [outputs[taps[0] : taps[-1] + 1] for taps in module.taps if taps[0] < cut]
    return [_join(writer, part) for part in begun] or [x]


def write_from(
    writer: GraphWriter,
    module: EfficientNetLite0,
    parts: Sequence[str],
    cut: int,
    moved: Mapping[str, LowRank] | None = None,
) -> list[str]:
    """EfficientNetLite0.forward_from; `moved` says by layer_name which weights are not the writer's alone."""
    levels = module.levels_from(cut, len(parts))
    joined = [[parts[part]] if part is not None else [] for _, part in levels]
    x = parts[-1]
    if cut < len(module.blocks):
        start, end, axis = (writer.constant([value]) for value in (-module.widths[cut - 1], _END, 1))
        x = writer.add("Slice", x, start, end, axis)
    for index in range(cut, len(module.blocks)):
        x = _write_block(writer, x, module, index, moved or {})
        for (level, _), outputs in zip(levels, joined, strict=True):
            if index in module.taps[level]:
                outputs.append(x)
    return [_join(writer, outputs) for outputs in joined]


def _join(writer: GraphWriter, outputs: Sequence[str]) -> str:
    return writer.add("Concat", *outputs, axis=1) if len(outputs) > 1 else outputs[0]


def _write_block(
    writer: GraphWriter, x: str, module: EfficientNetLite0, index: int, moved: Mapping[str, LowRank]
) -> str:
    entry, block = x, module.blocks[index]
    for number, layer in enumerate(layers(block)):
        name = layer_name(index, number)
        x = _write_conv_norm(writer, x, layer, name, moved.get(name))
    return writer.add("Add", entry, x) if block.residual else x


def _write_conv_norm(writer: GraphWriter, x: str, layer: ConvNorm, name: str, moved: LowRank | None = None) -> str:
    left, right, top, bottom = layer.padding()
    given = x
    x = write_conv(
        writer, x, f"{name}.weight", f"{name}.bias",
        pads=(top, left, bottom, right), stride=layer.conv.stride[0], groups=layer.conv.groups,
    )  # fmt: skip
    if moved:
        x = writer.add("Add", x, write_conv(writer, write_conv(writer, given, moved.down), moved.up, moved.shift))
    if not layer.act:
        return x
    return writer.add("Clip", x, writer.constant(0, np.float32), writer.constant(6, np.float32))


def _fold(name: str, layer: ConvNorm) -> Folded:
    weight, bias = (tensor.detach().cpu().numpy() for tensor in layer.folded())
    return {f"{name}.weight": np.ascontiguousarray(weight), f"{name}.bias": np.ascontiguousarray(bias)}


def is_product(weight: npt.NDArray[np.float32]) -> bool:
    """Whether a convolution's weight is a matrix: what fine-tuning moves of it can be stored as two thin ones."""
    return weight.shape[2:] == (1, 1)


def layers(block: nn.Module) -> list[ConvNorm]:
    return list(block.layers)  # type: ignore[arg-type]  # a Sequential of ConvNorm


def layer_name(block: int, layer: int) -> str:
    return f"backbone.{block}.{layer}"
