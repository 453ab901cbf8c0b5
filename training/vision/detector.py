"""The trained part of a detector, and its output as boxes. The frozen backbone stands before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.vision.anchors import make_anchors
from training.vision.boxes import clip_boxes, decode_boxes, suppress_boxes
from training.vision.heads import build_box_head, build_class_head
from training.vision.pyramid import Pyramid

MOST_CANDIDATES = 1000  # best cells that go into suppression
MOST_DETECTIONS = 100  # an image, as COCO counts them


@dataclass(frozen=True)
class Detections:
    """Boxes (n, 4) in image pixels, scores (n,), classes (n,), best first."""

    boxes: Tensor
    scores: Tensor
    classes: Tensor


class Detector(nn.Module):
    """Backbone features -> class logits (N, A, K) and box deltas (N, A, 4)."""

    def __init__(self, inputs: tuple[int, ...], channels: int, depth: int, classes: int) -> None:
        super().__init__()
        self.pyramid = Pyramid(inputs, channels)
        self.class_head = build_class_head(channels, depth, classes)
        self.box_head = build_box_head(channels, depth)

    def forward(self, features: list[Tensor], corners: Sequence[tuple[int, int]] = ()) -> tuple[Tensor, Tensor]:
        levels = self.pyramid(features, corners)
        return self.class_head(levels), self.box_head(levels)


def select_detections(
    logits: Tensor,
    deltas: Tensor,
    *,
    size: tuple[int, int],
    image_size: tuple[int, int],
    anchor_scale: float,
    finest: int = 8,
    score_threshold: float,
    nms_iou: float,
) -> Detections:
    """Logits (A, K) and deltas (A, 4) of one image -> its detections; the ONNX graph does the same, step by step.

    `size` is what the backbone saw, `image_size` the image's own, both (height, width).
    """
    scores = torch.sigmoid(logits)
    count = min(MOST_CANDIDATES, len(scores))
    best = torch.topk(scores.max(dim=1).values, count).indices
    anchors = make_anchors(*size, anchor_scale, finest)[best]
    boxes = clip_boxes(decode_boxes(deltas[best], anchors), *size)
    boxes = boxes * boxes.new_tensor([image_size[1] / size[1], image_size[0] / size[0]] * 2)
    parts = []
    for class_index in range(scores.shape[1]):
        class_scores = scores[best, class_index]
        above = torch.nonzero(class_scores > score_threshold).flatten()
        kept = above[suppress_boxes(boxes[above], class_scores[above], nms_iou, MOST_DETECTIONS)]
        parts.append((boxes[kept], class_scores[kept], torch.full_like(kept, class_index)))
    joined = [torch.cat(part) for part in zip(*parts, strict=True)]
    order = torch.argsort(joined[1], descending=True, stable=True)[:MOST_DETECTIONS]
    return Detections(joined[0][order], joined[1][order], joined[2][order])
