import torch

from training.vision.anchors import level_shapes, make_anchors


def test_anchors_are_squares_around_cell_centres() -> None:
    anchors = make_anchors(64, 128, scale=4.0)
    # 8 × 16, 4 × 8, 2 × 4 and 1 × 2 cells.
    assert level_shapes(64, 128) == [(8, 16), (4, 8), (2, 4), (1, 2)]
    assert anchors.shape == (128 + 32 + 8 + 2, 4)
    # First cell: centre 4, 4, side 4 · 8 = 32. Second in the row: centre 12, 4.
    assert anchors[0].tolist() == [-12.0, -12.0, 20.0, 20.0]
    assert anchors[1].tolist() == [-4.0, -12.0, 28.0, 20.0]
    # Second row starts after 16 cells: centre 4, 12.
    assert anchors[16].tolist() == [-12.0, -4.0, 20.0, 28.0]
    # Stride 16 starts at 128: centre 8, 8, side 64. Last: stride 64, centre 96, 32, side 256.
    assert anchors[128].tolist() == [-24.0, -24.0, 40.0, 40.0]
    assert anchors[-1].tolist() == [-32.0, -96.0, 224.0, 160.0]
    assert anchors.dtype == torch.float32
