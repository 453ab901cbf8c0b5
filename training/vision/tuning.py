"""A detector with the later blocks of its backbone: what trains in both recipes, and what is stored of it.

Of a block only its 1 × 1 convolutions and their biases move. They are nine tenths of its weights; the filters of single
channels between them cost half of a step's time to train, and bring nothing (docs/ablations.md).
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from training.vision.backbone_graph import fold_blocks, is_product
from training.vision.detector import Detector
from training.vision.efficientnet import ConvNorm, EfficientNetLite0
from training.vision.graph import HeadSpec
from training.vision.train import build_detector
from training.vision.weights import SHIFT, Stored, store_move, store_weights


class TunedDetector(nn.Module):
    """What blocks before `cut` give of the features -> class logits (N, A, K) and box deltas (N, A, 4)."""

    def __init__(self, backbone: EfficientNetLite0, cut: int, detector: Detector) -> None:
        super().__init__()
        self.cut = cut
        self.backbone = deepcopy(backbone).requires_grad_(False)
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        for layer in self.backbone.blocks[cut:].modules():
            if isinstance(layer, ConvNorm) and layer.conv.kernel_size == (1, 1):
                layer.conv.weight.requires_grad_(True)
                layer.norm.bias.requires_grad_(True)
        self.detector = detector

    def forward(self, parts: Sequence[Tensor], corners: Sequence[tuple[int, int]] = ()) -> tuple[Tensor, Tensor]:
        """`corners` are of the windows to which the first part was cut, where it was."""
        features = self.backbone.forward_from(parts, self.cut)
        wanted = len(self.detector.pyramid.laterals)
        found: tuple[Tensor, Tensor] = self.detector(features[-wanted:], corners)
        return found


def build_tuned(backbone: EfficientNetLite0, spec: HeadSpec, classes: int, seed: int) -> TunedDetector:
    """Pretrained blocks, and a pyramid and heads at random by the seed."""
    return TunedDetector(backbone, spec.cut(backbone), build_detector(spec, backbone.channels, classes, seed))


def store_tuned(tuned: TunedDetector, average: dict[str, Tensor], shared: EfficientNetLite0, rank: int) -> Stored:
    """What differs from the shared backbone, of the averaged weights; `tuned` takes them on."""
    tuned.load_state_dict(average, strict=False)  # what was not trained is no part of them, and stays
    stored = store_weights({name: weight.detach().numpy() for name, weight in tuned.detector.named_parameters()})
    before = fold_blocks(shared, tuned.cut) if tuned.cut < len(shared.blocks) else {}
    after = fold_blocks(tuned.backbone, tuned.cut) if before else {}
    for name, weight in after.items():
        if is_product(weight):
            layer = name.removesuffix(".weight")
            stored |= store_move(layer, (weight - before[name])[:, :, 0, 0], rank)
            stored |= store_weights({layer + SHIFT: after[layer + ".bias"] - before[layer + ".bias"]})
    return stored
