from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.vision.test_train import CHANNELS, make_view
from training.vision.detector import Detector
from training.vision.recipes import Recipe
from training.vision.train import learn_batch, match_anchors
from training.vision.windows import choose_corner, choose_window, window_cells

SIZE = (128, 192)  # 16 × 24 cells of stride 8


@pytest.mark.parametrize(
    ("side", "expected"), [(64, (8, 8)), (128, (16, 16)), (160, (16, 20)), (192, None), (256, None), (0, None)]
)
def test_a_window_is_smaller_than_the_view_or_none(side: int, expected: tuple[int, int] | None) -> None:
    assert choose_window(SIZE, side) == expected


def test_windows_lie_inside_on_whole_coarse_cells_and_reach_everywhere() -> None:
    nothing = np.zeros((0, 4), np.float32)
    corners = {choose_corner(nothing, SIZE, (8, 8), [0, step, 0]) for step in range(60)}
    assert corners == {(row, column) for row in (0, 8) for column in (0, 8, 16)}


def test_windows_show_the_boxes() -> None:
    box = np.array([[170, 100, 186, 120]], np.float32)  # in the last window of the lower row
    corners = [choose_corner(box, SIZE, (8, 8), [0, step, 0]) for step in range(40)]
    assert sum(corner == (8, 16) for corner in corners) > 20
    assert choose_corner(box, SIZE, (8, 8), [0, 7, 0]) == choose_corner(box, SIZE, (8, 8), [0, 7, 0])


def test_cells_are_the_windows_then_all_coarser_ones() -> None:
    cells = window_cells((128, 128), (8, 8), (8, 0))
    # Row 8 of 16 begins at 128; 256 cells of stride 8, then 64 + 16 + 4.
    assert cells[:9].tolist() == [*range(128, 136), 144]
    assert cells[64:].tolist() == list(range(256, 340))


def test_a_window_of_the_whole_view_is_the_whole_view() -> None:
    torch.manual_seed(0)
    detector = Detector(CHANNELS, 16, 1, 1)
    features = [torch.from_numpy(level.astype(np.float32))[None] for level in make_view(0, size=SIZE).load()]
    whole = detector(features)
    cut = detector(features, [(0, 0)])
    assert all(torch.equal(first, second) for first, second in zip(whole, cut, strict=True))
    # Coarser levels see all of the view, whatever the window shows.
    corner = detector([features[0][:, :, 8:, 8:16], *features[1:]], [(8, 8)])
    assert torch.equal(corner[0][:, 64:], whole[0][:, 384:])


def test_losses_of_a_window_count_its_cells_only(tiny: Recipe) -> None:
    view = replace(make_view(0, size=SIZE), size=SIZE)
    boxes = np.array([[8, 8, 40, 40]], np.float32)
    recipe = replace(tiny, window=64)
    view = replace(view, boxes=boxes, classes=np.zeros(1, np.int64), matched=match_anchors(boxes, SIZE, recipe))
    torch.manual_seed(0)
    detector = Detector(CHANNELS, 16, 1, 1)
    detector.requires_grad_(False).class_head.output.bias.fill_(0)
    parts = [float(learn_batch(detector, [view], replace(recipe, window=side), seed=0, step=1)["classification"])
             for side in (64, 0)]  # fmt: skip
    # 340 and 510 cells cost alike where every score is about a half; the positives are the same.
    assert 0 < parts[0] < parts[1]
