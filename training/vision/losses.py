"""Losses, as named parts: what the customer's progress shows is what is minimised."""

import torch
from torch import Tensor
from torch.nn import functional

from training.vision.boxes import compute_paired_iou, decode_boxes


class NonFiniteLoss(ArithmeticError):
    """A loss became infinite or not a number; `step` and `parts` say when and which."""

    def __init__(self, step: int, parts: dict[str, float]) -> None:
        super().__init__(f"step {step}: " + ", ".join(f"{name} = {value}" for name, value in parts.items()))
        self.step, self.parts = step, parts


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss (Lin et al. 2017), summed; targets are 0 or 1, same shape as logits."""
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    scores = torch.sigmoid(logits)
    wrongness = scores + targets - 2 * scores * targets  # 1 - p of the true answer
    weight = targets * alpha + (1 - targets) * (1 - alpha)
    return (weight * wrongness**gamma * cross_entropy).sum()


def quality_focal_loss(logits: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss for targets between 0 and 1 (Li et al. 2020), summed: |target - score|^gamma times cross entropy."""
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return ((targets - torch.sigmoid(logits)).abs() ** gamma * cross_entropy).sum()


def giou_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """1 - generalised IoU of each pair, summed: (n, 4), (n, 4) -> scalar from 0 to 2n."""
    return (1 - compute_paired_iou(predicted, truth)[1]).sum()


def compute_losses(
    logits: Tensor, deltas: Tensor, anchors: Tensor, labels: Tensor, boxes: Tensor, *, quality: bool, box_weight: float
) -> dict[str, Tensor]:
    """Named losses of a batch, divided by the number of positive cells (at least 1).

    logits (N, A, K), deltas (N, A, 4), anchors (N, A, 4), labels (N, A) class or -1, boxes (N, A, 4) where positive.
    """
    positive = labels >= 0
    count = positive.sum().clamp(min=1)
    decoded = decode_boxes(deltas, anchors)[positive]
    targets = torch.zeros_like(logits)
    if quality:
        fit = compute_paired_iou(decoded.detach(), boxes[positive])[0]
        targets[positive, labels[positive]] = fit
        classification = quality_focal_loss(logits, targets)
    else:
        targets[positive, labels[positive]] = 1.0
        classification = focal_loss(logits, targets)
    return {"classification": classification / count, "box": box_weight * giou_loss(decoded, boxes[positive]) / count}
