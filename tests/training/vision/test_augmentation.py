import numpy as np

from training.vision.augmentation import View, choose_views, draw_view, move_boxes, render_view
from training.vision.recipes import Variety

IMAGE = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)


def test_mirroring_moves_pixels_and_boxes_alike() -> None:
    view = View(mirror_x=True)
    assert (render_view(IMAGE, view) == IMAGE[:, ::-1]).all()
    boxes, kept = move_boxes(np.array([[1, 0, 3, 2]], np.float32), view, 4, 8, (4, 8))
    # Columns 1 to 3 of 8 become 5 to 7.
    assert (boxes.tolist(), kept.tolist()) == ([[5, 0, 7, 2]], [True])
    boxes, _ = move_boxes(np.array([[1, 0, 3, 2]], np.float32), View(mirror_y=True), 4, 8, (4, 8))
    assert boxes.tolist() == [[1, 2, 3, 4]]


def test_a_crop_shifts_cuts_drops_and_scales() -> None:
    view = View(crop=(0.5, 0.0, 1.0, 1.0))  # columns 4 to 8
    assert (render_view(IMAGE, view) == IMAGE[:, 4:]).all()
    given = np.array([[3, 0, 7, 4], [0, 0, 3, 4], [1, 0, 5, 4]], np.float32)
    boxes, kept = move_boxes(given, view, 4, 8, (64, 64))
    # 3 of 4 columns left: kept, 0..3 of 4 columns -> 0..48 of 64. None left; one of four left: dropped.
    assert kept.tolist() == [True, False, False]
    assert boxes.tolist() == [[0, 0, 48, 64]]


def test_views_repeat_and_differ_between_images() -> None:
    first = choose_views("a", seed=0, count=8, variety=Variety(0.5, flips=True))
    assert first == choose_views("a", seed=0, count=8, variety=Variety(0.5, flips=True))
    assert first[:4] == [View(), View(mirror_x=True), View(mirror_y=True), View(mirror_x=True, mirror_y=True)]
    assert first[4:] != choose_views("b", seed=0, count=8, variety=Variety(0.5, flips=True))[4:]
    for view in first[4:]:
        x1, y1, x2, y2 = view.crop
        assert 0 <= x1 < x2 <= 1.0001
        assert abs((x2 - x1) - (y2 - y1)) < 1e-3
        assert x2 - x1 >= 0.4998


def test_no_view_is_mirrored_where_that_is_off() -> None:
    views = choose_views("a", seed=0, count=6, variety=Variety(0.5, flips=False))
    assert [(view.mirror_x, view.mirror_y) for view in views] == [(False, False)] * 6


def test_a_crop_of_a_tiny_image_keeps_a_pixel() -> None:
    assert render_view(np.zeros((1, 1, 3), np.uint8), View(crop=(0.6, 0.6, 0.9, 0.9))).shape == (1, 1, 3)


def test_stretched_views_leave_the_aspect_within_their_bounds_and_stay_inside():
    variety = Variety(0.6, flips=True, stretch=0.2, relighting=0.2)
    views = [draw_view(np.random.default_rng(number), variety) for number in range(200)]
    sides = np.array([[view.crop[2] - view.crop[0], view.crop[3] - view.crop[1]] for view in views])
    ratios = sides[:, 0] / sides[:, 1]
    assert ratios.max() <= np.exp(0.4) + 1e-3
    assert ratios.min() >= np.exp(-0.4) - 1e-3
    assert ratios.std() > 0.05
    assert min(min(view.crop) for view in views) >= 0
    assert max(max(view.crop) for view in views) <= 1
    assert {round(view.contrast, 1) for view in views} <= {0.8, 0.9, 1.0, 1.1, 1.2}
    assert max(abs(view.brightness) for view in views) <= 255 * 0.4 * 0.2
    assert len({view.key() for view in views}) == 200


def test_contrast_stretches_about_the_mean_and_brightness_moves():
    pixels = np.array([[[50] * 3, [150] * 3]], np.uint8)  # mean 100
    assert render_view(pixels, View(contrast=1.2))[0, :, 0].tolist() == [40, 160]
    assert render_view(pixels, View(contrast=0.5, brightness=10))[0, :, 0].tolist() == [85, 135]
    assert render_view(pixels, View(contrast=4.0))[0, :, 0].tolist() == [0, 255]
    assert render_view(pixels, View())[0, :, 0].tolist() == [50, 150]
