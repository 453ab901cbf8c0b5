"""The backbone as ONNX nodes: stem and blocks, their weights by name, so that a graph may fix them or be given them."""

import numpy as np
import numpy.typing as npt
from torch import nn

from training.vision.efficientnet import ConvNorm, EfficientNetLite0
from training.vision.nodes import GraphWriter, write_conv, write_preprocessing

Folded = dict[str, npt.NDArray[np.float32]]


def fold_trunk(module: EfficientNetLite0) -> Folded:
    """Weights and biases, norms folded in, of the stem and the blocks that nobody trains."""
    return _fold("backbone.stem", module.stem) | _fold_blocks(module, range(module.trunk_blocks))


def fold_tail(module: EfficientNetLite0) -> Folded:
    """The same of the blocks after them: what a model may store its difference from."""
    return _fold_blocks(module, range(module.trunk_blocks, len(module.blocks)))


def write_trunk(writer: GraphWriter, module: EfficientNetLite0, image: str, size: str) -> str:
    """Picture uint8 (H, W, 3), network size (2,) -> (1, 24, h/4, w/4). Weights must be known to the writer."""
    x = write_preprocessing(writer, image, size, module.mean, module.scale)
    x = _write_conv_norm(writer, x, module.stem, "backbone.stem")
    return _write_blocks(writer, x, module, range(module.trunk_blocks))[-1]


def write_tail(writer: GraphWriter, module: EfficientNetLite0, x: str) -> list[str]:
    """The trunk's output -> features of strides 8, 16 and 32."""
    blocks = range(module.trunk_blocks, len(module.blocks))
    outputs = dict(zip(blocks, _write_blocks(writer, x, module, blocks), strict=True))
    return [writer.add("Concat", *(outputs[index] for index in taps), axis=1) for taps in module.taps]


def _write_blocks(writer: GraphWriter, x: str, module: EfficientNetLite0, blocks: range) -> list[str]:
    outputs = []
    for index in blocks:
        entry, block = x, module.blocks[index]
        for number, layer in enumerate(_layers(block)):
            x = _write_conv_norm(writer, x, layer, _name(index, number))
        if block.residual:
            x = writer.add("Add", entry, x)
        outputs.append(x)
    return outputs


def _write_conv_norm(writer: GraphWriter, x: str, layer: ConvNorm, name: str) -> str:
    left, right, top, bottom = layer.padding()
    x = write_conv(
        writer, x, f"{name}.weight", f"{name}.bias",
        pads=(top, left, bottom, right), stride=layer.conv.stride[0], groups=layer.conv.groups,
    )  # fmt: skip
    if not layer.act:
        return x
    return writer.add("Clip", x, writer.constant(0, np.float32), writer.constant(6, np.float32))


def _fold_blocks(module: EfficientNetLite0, blocks: range) -> Folded:
    folded: Folded = {}
    for index in blocks:
        for number, layer in enumerate(_layers(module.blocks[index])):
            folded |= _fold(_name(index, number), layer)
    return folded


def _fold(name: str, layer: ConvNorm) -> Folded:
    weight, bias = (tensor.detach().cpu().numpy() for tensor in layer.folded())
    return {f"{name}.weight": np.ascontiguousarray(weight), f"{name}.bias": np.ascontiguousarray(bias)}


def _layers(block: nn.Module) -> list[ConvNorm]:
    return list(block.layers)  # type: ignore[arg-type]  # a Sequential of ConvNorm


def _name(block: int, layer: int) -> str:
    return f"backbone.{block}.{layer}"
