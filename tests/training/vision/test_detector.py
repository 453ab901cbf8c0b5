import math

import torch

from training.vision.detector import Detector, select_detections
from training.vision.heads import build_class_head
from training.vision.pyramid import Pyramid
from training.vision.recipes import FAST

CHANNELS = (40, 112, 320)


def features(height: int, width: int) -> list[torch.Tensor]:
    return [torch.randn(1, c, height // s, width // s) for c, s in zip(CHANNELS, (8, 16, 32), strict=True)]


def test_the_fast_detector_fits_half_a_megabyte_as_fp16() -> None:
    detector = Detector(CHANNELS, FAST.pyramid_channels, FAST.tower_depth, classes=10)
    assert sum(weight.numel() for weight in detector.parameters()) <= 250_000


def test_shapes() -> None:
    logits, deltas = Detector(CHANNELS, 16, 1, classes=3)(features(128, 192))
    cells = 16 * 24 + 8 * 12 + 4 * 6 + 2 * 3
    assert (logits.shape, deltas.shape) == ((1, cells, 3), (1, cells, 4))


def test_the_pyramid_adds_coarse_to_fine() -> None:
    torch.manual_seed(0)
    pyramid = Pyramid(CHANNELS, 16)
    given = features(64, 64)
    levels = pyramid(given)
    assert [tuple(level.shape[2:]) for level in levels] == [(8, 8), (4, 4), (2, 2), (1, 1)]
    changed = pyramid([given[0], given[1], given[2] + torch.randn_like(given[2])])
    assert all(not torch.equal(a, b) for a, b in zip(levels, changed, strict=True))
    finest = pyramid([given[0] + torch.randn_like(given[0]), *given[1:]])
    assert torch.equal(levels[1], finest[1])  # nothing flows from fine to coarse


def test_heads_read_rows_first_and_start_at_the_prior() -> None:
    head = build_class_head(16, 0, 2)
    with torch.no_grad():
        head.output.weight.zero_()
        head.output.weight[1, 0, 1, 1] = 1.0  # class 1 repeats channel 0
    level = torch.zeros(1, 16, 2, 3)
    level[0, 0] = torch.arange(6.0).reshape(2, 3)
    logits = head([level])
    torch.testing.assert_close(logits[0, :, 0], torch.full((6,), -math.log(99)))
    torch.testing.assert_close(logits[0, :, 1], torch.arange(6.0) - math.log(99))


def test_selection_by_hand() -> None:
    # 64 × 64 has 64 + 16 + 4 + 1 cells; the image is twice as wide as what the backbone saw.
    logits, deltas = torch.full((85, 2), -20.0), torch.zeros(85, 4)
    logits[27, 1] = 2.0  # row 3, column 3 of stride 8: centre 28, 28, side 32 -> 12..44
    logits[28, 1] = 1.0  # its neighbour overlaps by 24/40 = 0.6: suppressed
    logits[28, 0] = 0.0  # but not in the other class: centre 36, 28 -> 20..52
    found = select_detections(
        logits, deltas, size=(64, 64), image_size=(64, 128), anchor_scale=4.0, score_threshold=0.05, nms_iou=0.5
    )
    assert found.classes.tolist() == [1, 0]
    assert found.boxes.tolist() == [[24.0, 12.0, 88.0, 44.0], [40.0, 12.0, 104.0, 44.0]]
    torch.testing.assert_close(found.scores, torch.tensor([1 / (1 + math.exp(-2)), 0.5]))


def test_nothing_above_the_threshold_is_nothing() -> None:
    found = select_detections(
        torch.full((85, 2), -20.0), torch.zeros(85, 4),
        size=(64, 64), image_size=(64, 64), anchor_scale=4.0, score_threshold=0.05, nms_iou=0.5,
    )  # fmt: skip
    assert (found.boxes.shape, found.scores.shape, found.classes.shape) == ((0, 4), (0,), (0,))
