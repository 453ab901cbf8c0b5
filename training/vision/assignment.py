"""Which cells answer for which box: adaptive training sample selection (ATSS, Zhang et al. 2020).

For every box: the `candidates` cells of each level nearest its centre; of those, cells whose anchor overlaps it by at
least mean + standard deviation of the candidates' IoU, and whose centre lies inside it. No threshold to tune.
"""

import torch
from torch import Tensor

from training.vision.boxes import compute_areas, compute_iou


def assign_anchors(anchors: Tensor, cells: list[int], boxes: Tensor, candidates: int = 9) -> Tensor:
    """Index of the box that each anchor answers for, or -1: (A, 4), (n, 4) -> (A,) int64.

    `cells` is the number of anchors of each level, in order. An anchor wanted by several boxes takes the one that it
    overlaps most. A box that would get none (smaller than a cell, say) gets its nearest candidate of best overlap.
    """
    matched = torch.full((len(anchors),), -1, dtype=torch.long)
    if not len(boxes):
        return matched
    ious = compute_iou(anchors, boxes)  # (A, n)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    box_centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    distances = (centres[:, None] - box_centres[None]).square().sum(-1)  # (A, n)
    nearest = _nearest_cells(distances, cells, candidates)  # (C, n)
    overlaps = ious.gather(0, nearest)
    threshold = overlaps.mean(0) + overlaps.std(0, correction=0)
    inside = _centres_inside(centres[nearest], boxes)
    positive = (overlaps >= threshold) & inside
    positive |= _last_resort(overlaps, distances.gather(0, nearest), ~positive.any(0))
    best = torch.full((len(anchors), len(boxes)), -1.0)
    best.scatter_(0, nearest, torch.where(positive, overlaps, torch.full_like(overlaps, -1.0)))
    # Equal overlaps (a tiny box inside a large one) go to the smaller box, which has fewer cells to lose.
    order = torch.argsort(compute_areas(boxes), stable=True)
    value, index = best[:, order].max(dim=1)
    return torch.where(value >= 0, order[index], matched)


def _nearest_cells(distances: Tensor, cells: list[int], candidates: int) -> Tensor:
    """(A, n) -> (C, n): anchor indices of the nearest cells of each level and box."""
    found, start = [], 0
    for count in cells:
        level = distances[start : start + count]
        # Sorted, not topk: equal distances must give the same cells on every machine.
        found.append(torch.argsort(level, dim=0, stable=True)[: min(candidates, count)] + start)
        start += count
    return torch.cat(found)


def _centres_inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """(C, n, 2), (n, 4) -> (C, n)."""
    after = centres > boxes[None, :, :2]
    before = centres < boxes[None, :, 2:]
    return (after & before).all(-1)


def _last_resort(overlaps: Tensor, distances: Tensor, orphans: Tensor) -> Tensor:
    """(C, n) mask with one cell for each orphan: of best overlap, of those the nearest."""
    best = overlaps == overlaps.max(dim=0, keepdim=True).values
    ranked = torch.where(best, distances, torch.full_like(distances, float("inf")))
    chosen = torch.zeros_like(best)
    chosen.scatter_(0, ranked.argmin(dim=0, keepdim=True), True)
    return chosen & orphans
