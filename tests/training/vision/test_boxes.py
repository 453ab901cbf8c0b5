import math

import pytest
import torch

from training.vision.boxes import (
    LARGEST_LOG_SIZE,
    clip_boxes,
    compute_iou,
    compute_paired_iou,
    decode_boxes,
    encode_boxes,
    suppress_boxes,
)


def test_iou_is_overlap_over_union() -> None:
    first = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 0.0, 0.0]])
    second = torch.tensor([[5.0, 5.0, 15.0, 15.0], [0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    # 5·5 / (100 + 100 - 25) = 1/7; identical; apart. An empty box overlaps nothing, and is no division by zero.
    expected = torch.tensor([[25 / 175, 1.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(compute_iou(first, second), expected)


def test_generalised_iou_punishes_the_gap() -> None:
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    second = torch.tensor([[4.0, 0.0, 6.0, 2.0], [1.0, 0.0, 3.0, 2.0]])
    iou, generalised = compute_paired_iou(first, second)
    # Apart: hull 6·2 = 12, union 8, so 0 - 4/12. Overlapping: 2 / 6, hull 3·2 = 6 = union, so nothing is taken off.
    torch.testing.assert_close(iou, torch.tensor([0.0, 1 / 3]))
    torch.testing.assert_close(generalised, torch.tensor([-1 / 3, 1 / 3]))


def test_coding_is_offset_in_anchor_sides_and_log_ratio() -> None:
    anchors = torch.tensor([[0.0, 0.0, 32.0, 32.0]])
    boxes = torch.tensor([[16.0, 0.0, 80.0, 16.0]])
    # Centre (48, 8) against (16, 16): 32/32 = 1 and -8/32; sides 64 and 16 against 32: log 2 and -log 2.
    expected = torch.tensor([[1.0, -0.25, math.log(2), -math.log(2)]])
    torch.testing.assert_close(encode_boxes(boxes, anchors), expected)
    torch.testing.assert_close(decode_boxes(expected, anchors), boxes)


def test_decoding_limits_the_size() -> None:
    anchors = torch.tensor([[0.0, 0.0, 16.0, 16.0]])
    decoded = decode_boxes(torch.tensor([[0.0, 0.0, 500.0, LARGEST_LOG_SIZE]]), anchors)
    # 16 · 1000/16 = 1000 wide around the centre 8.
    torch.testing.assert_close(decoded, torch.tensor([[-492.0, -492.0, 508.0, 508.0]]))


def test_clipping_uses_width_for_x_and_height_for_y() -> None:
    boxes = torch.tensor([[-5.0, -5.0, 50.0, 50.0]])
    assert clip_boxes(boxes, height=20, width=40).tolist() == [[0.0, 0.0, 40.0, 20.0]]


@pytest.mark.parametrize(("threshold", "kept"), [(0.5, [1, 2]), (0.7, [1, 0, 2])])
def test_suppression_keeps_the_best_of_overlapping_boxes(threshold: float, kept: list[int]) -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 8.0 - 2.0], [50.0, 50.0, 60.0, 60.0]])
    scores = torch.tensor([0.8, 0.9, 0.1])
    # The first two overlap by 60/100.
    assert suppress_boxes(boxes, scores, threshold, 100).tolist() == kept


def test_suppression_stops_at_the_limit_and_takes_none() -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [5.0, 5.0, 6.0, 6.0]])
    assert suppress_boxes(boxes, torch.tensor([0.1, 0.2]), 0.5, 1).tolist() == [1]
    assert suppress_boxes(torch.zeros(0, 4), torch.zeros(0), 0.5, 1).tolist() == []
