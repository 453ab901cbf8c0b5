import math

import pytest
import torch

from training.vision.losses import compute_losses, focal_loss, giou_loss, quality_focal_loss


def test_focal_loss_by_hand() -> None:
    # Score 0.5 each. Positive: 0.25 · 0.5² · log 2; negative: 0.75 · 0.5² · log 2; together 0.25 · log 2.
    logits, targets = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    assert float(focal_loss(logits, targets)) == pytest.approx(0.25 * math.log(2))


def test_focal_loss_of_a_sure_and_right_answer_is_next_to_nothing() -> None:
    # p = 0.9: 0.25 · 0.1² · -log 0.9.
    logits = torch.tensor([[math.log(9)]])
    assert float(focal_loss(logits, torch.ones(1, 1))) == pytest.approx(0.25 * 0.01 * -math.log(0.9))


def test_quality_focal_loss_is_zero_weighted_at_its_target() -> None:
    assert float(quality_focal_loss(torch.zeros(1), torch.tensor([0.5]))) == 0.0
    # Target 1, score 0.5: 0.5² · log 2.
    assert float(quality_focal_loss(torch.zeros(1), torch.ones(1))) == pytest.approx(0.25 * math.log(2))


def test_giou_loss_by_hand() -> None:
    # Apart by 2 with hull 12 and union 8 (1 + 1/3), and the same box (0).
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    second = torch.tensor([[4.0, 0.0, 6.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    assert float(giou_loss(first, second)) == pytest.approx(4 / 3)


def test_losses_are_named_and_divided_by_the_positives() -> None:
    anchors = torch.tensor([[0.0, 0.0, 2.0, 2.0], [4.0, 0.0, 6.0, 2.0]])
    labels = torch.tensor([[1, 1]])
    boxes = torch.tensor([[[4.0, 0.0, 6.0, 2.0], [4.0, 0.0, 6.0, 2.0]]])
    losses = compute_losses(
        torch.zeros(1, 2, 2), torch.zeros(1, 2, 4), anchors, labels, boxes, quality=False, box_weight=3.0
    )
    # Two cells, each a positive and a negative class at 0.5 as above, over two positives; boxes (4/3 + 0) / 2, times 3.
    assert {name: pytest.approx(float(loss)) for name, loss in losses.items()} == {
        "classification": 0.25 * math.log(2),
        "box": 2.0,
    }


def test_a_batch_without_boxes_has_finite_losses_and_gradients() -> None:
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    deltas = torch.zeros(1, 2, 4, requires_grad=True)
    labels, boxes = torch.full((1, 2), -1), torch.zeros(1, 2, 4)
    losses = compute_losses(logits, deltas, torch.ones(2, 4), labels, boxes, quality=False, box_weight=1.0)
    sum(losses.values()).backward()
    assert float(losses["box"].detach()) == 0.0
    assert torch.isfinite(logits.grad).all()
    assert deltas.grad.abs().sum() == 0
