"""Boxes as x1, y1, x2, y2: overlap, coding against anchors, clipping, suppression."""

import math

import torch
from torch import Tensor

LARGEST_LOG_SIZE = math.log(1000 / 16)  # a box at most 62 anchors wide: exp() of an untrained output stays finite


def compute_areas(boxes: Tensor) -> Tensor:
    """(…, 4) -> (…)."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def compute_iou(first: Tensor, second: Tensor) -> Tensor:
    """(n, 4), (m, 4) -> (n, m); 0 where both are empty."""
    top_left = torch.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    union = compute_areas(first)[:, None] + compute_areas(second)[None] - overlap
    return overlap / union.clamp(min=1e-9)


def compute_paired_iou(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """(n, 4), (n, 4) -> IoU and generalised IoU of each pair, both (n,)."""
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    overlap = sides[:, 0] * sides[:, 1]
    union = (compute_areas(first) + compute_areas(second) - overlap).clamp(min=1e-9)
    hull = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    enclosing = (hull[:, 0] * hull[:, 1]).clamp(min=1e-9)
    iou = overlap / union
    return iou, iou - (enclosing - union) / enclosing


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Offsets of the centre in anchor sides and logs of the size ratio: (n, 4), (n, 4) -> (n, 4)."""
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    anchor_centres, anchor_sizes = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
    return torch.cat([(centres - anchor_centres) / anchor_sizes, torch.log(sizes / anchor_sizes)], dim=1)


def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Inverse of encode_boxes, with the size ratio limited: (…, n, 4), (n, 4) or (…, n, 4) -> (…, n, 4)."""
    anchor_centres, anchor_sizes = (anchors[..., :2] + anchors[..., 2:]) / 2, anchors[..., 2:] - anchors[..., :2]
    centres = anchor_centres + deltas[..., :2] * anchor_sizes
    halves = anchor_sizes * torch.exp(deltas[..., 2:].clamp(max=LARGEST_LOG_SIZE)) / 2
    return torch.cat([centres - halves, centres + halves], dim=-1)


def clip_boxes(boxes: Tensor, height: float, width: float) -> Tensor:
    """(…, 4) with every corner moved into the image."""
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def suppress_boxes(boxes: Tensor, scores: Tensor, iou_threshold: float, most: int) -> Tensor:
    """Greedy: indices of at most `most` boxes, best first; what overlaps a kept one by more than the threshold goes."""
    order = torch.argsort(scores, descending=True, stable=True)
    overlaps = (compute_iou(boxes[order], boxes[order]) > iou_threshold).numpy()
    alive = torch.ones(len(order), dtype=torch.bool).numpy()
    kept: list[int] = []
    for index in range(len(order)):
        if alive[index]:
            kept.append(index)
            alive &= ~overlaps[index]
            if len(kept) == most:
                break
    return order[torch.tensor(kept, dtype=torch.long)]
