import torch

from training.vision.anchors import level_shapes, make_anchors
from training.vision.assignment import assign_anchors

# One level of four cells in a row, stride 10, anchors of side 10.
ROW = torch.tensor([[0.0, 0.0, 10.0, 10.0], [10.0, 0.0, 20.0, 10.0], [20.0, 0.0, 30.0, 10.0], [30.0, 0.0, 40.0, 10.0]])


def test_threshold_is_mean_plus_deviation_of_the_candidates() -> None:
    # Nearest three cells: IoU 2/20 = 0.1, 10/12 = 0.833, 0. Mean 0.311 + deviation 0.372 = 0.683.
    box = torch.tensor([[8.0, 0.0, 20.0, 10.0]])
    assert assign_anchors(ROW, [4], box, candidates=3).tolist() == [-1, 0, -1, -1]


def test_the_centre_of_a_positive_lies_inside_its_box() -> None:
    # Two nearest cells have equal IoU 5/15, so both reach the mean; both centres (5 and 15) lie on the border 5..15.
    on_border = torch.tensor([[5.0, 0.0, 15.0, 10.0]])
    # Neither is strictly inside: the last resort takes the first of the nearest.
    assert assign_anchors(ROW, [4], on_border, candidates=2).tolist() == [0, -1, -1, -1]
    wider = torch.tensor([[4.0, 0.0, 16.0, 10.0]])  # 6/16 each, both centres inside
    assert assign_anchors(ROW, [4], wider, candidates=2).tolist() == [0, 0, -1, -1]


def test_an_anchor_wanted_twice_takes_the_box_it_overlaps_most() -> None:
    boxes = torch.tensor([[10.0, 0.0, 20.0, 8.0], [10.0, 0.0, 20.0, 10.0]])  # IoU 0.8 and 1 with the second anchor
    assert assign_anchors(ROW, [4], boxes, candidates=1).tolist() == [-1, 1, -1, -1]


def test_no_box_leaves_all_cells_empty() -> None:
    assert assign_anchors(ROW, [4], torch.zeros(0, 4)).tolist() == [-1] * 4


def test_a_box_of_one_pixel_still_gets_a_cell() -> None:
    anchors = make_anchors(64, 64, 4.0)
    cells = [rows * columns for rows, columns in level_shapes(64, 64)]
    matched = assign_anchors(anchors, cells, torch.tensor([[33.0, 17.0, 34.0, 18.0]]))
    # Nearest centre of stride 8 to (33.5, 17.5) is (36, 20): row 2, column 4 of eight.
    assert torch.nonzero(matched >= 0).flatten().tolist() == [2 * 8 + 4]


def test_large_boxes_take_coarse_cells() -> None:
    anchors = make_anchors(256, 256, 4.0)
    cells = [rows * columns for rows, columns in level_shapes(256, 256)]
    matched = assign_anchors(anchors, cells, torch.tensor([[0.0, 0.0, 256.0, 256.0]]))
    # 1024 + 256 + 64 cells of the finer levels stay empty; anchors of side 256 exist at stride 64 only.
    assert torch.nonzero(matched >= 0).flatten().min() >= 1024 + 256 + 64
