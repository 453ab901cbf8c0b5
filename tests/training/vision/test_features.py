from dataclasses import replace
from pathlib import Path

import numpy as np

from training.vision.examples import Annotation, check_examples
from training.vision.features import FeatureCache, Features, choose_long_side, settle_recipe
from training.vision.recipes import FAST, FULL


def make_features(value: float) -> Features:
    return [np.full((2, 16, 16), value, np.float16), np.full((4, 8, 8), value, np.float16)]  # 1,024 + 512 bytes


class Counter:
    """Computes features and counts how often it was asked."""

    def __init__(self, value: float) -> None:
        self.value, self.calls = value, 0

    def __call__(self) -> Features:
        self.calls += 1
        return make_features(self.value)


def test_features_are_computed_once(tmp_path: Path) -> None:
    counter = Counter(1.5)
    for _ in range(2):
        cache = FeatureCache(tmp_path, 10_000, "backbone")
        [first, second] = cache.fetch("image", "plain", counter)
    assert counter.calls == 1
    assert (first == 1.5).all()
    assert (first.shape, second.shape, first.dtype) == ((2, 16, 16), (4, 8, 8), np.float16)


def test_backbone_preprocessing_and_image_each_make_another_key(tmp_path: Path) -> None:
    keys = [("b", "p", "i"), ("c", "p", "i"), ("b", "q", "i"), ("b", "p", "j")]
    for number, (backbone, preprocessing, image) in enumerate(keys):
        found = FeatureCache(tmp_path, 99_999, backbone).fetch(image, preprocessing, Counter(number))
        assert (found[0] == number).all()


def test_the_limit_holds_and_a_full_cache_still_answers(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 5_000, "b")
    for number in range(5):
        assert (cache.fetch(f"image {number}", "p", Counter(number))[0] == number).all()
    stored = list(tmp_path.rglob("*.safetensors"))
    assert len(stored) == 2  # each about 1,700 bytes, reckoned at 2,048
    assert sum(path.stat().st_size for path in stored) == cache.bytes_used <= 5_000


def test_features_that_nobody_asked_for_make_room(tmp_path: Path) -> None:
    old = FeatureCache(tmp_path, 5_000, "b")
    for number in range(2):
        old.fetch(f"old {number}", "p", Counter(0))
    new = FeatureCache(tmp_path, 5_000, "b")
    new.fetch("new 0", "p", Counter(1))
    new.fetch("new 1", "p", Counter(1))
    assert sorted(path.stem for path in tmp_path.rglob("*.safetensors")) == ["new 0", "new 1"]


def test_a_cache_of_no_bytes_computes_every_time(tmp_path: Path) -> None:
    counter = Counter(2.0)
    cache = FeatureCache(tmp_path, 0, "b")
    for _ in range(2):
        cache.fetch("image", "p", counter)
    assert counter.calls == 2


def test_the_long_side_gives_small_boxes_their_pixels() -> None:
    def side(*sizes: float) -> int:
        boxes = np.array([[0, 0, size, size] for size in sizes], np.float32).reshape(-1, 4)
        image = np.zeros((500, 1000, 3), np.uint8)
        return choose_long_side(check_examples([image], [Annotation(boxes, np.zeros(len(boxes), np.int64))], 1))

    assert side(50) == 512  # 0.05 of the image: 24 / 0.05 = 480, up to the next 64
    assert side(500) == 256
    assert side(2) == 640
    assert side(50, 400, 400, 400, 400) == 256  # the lower quartile is 400


def settled(size: tuple[int, int], box: float, **given: object) -> tuple[int, int, int]:
    examples = check_examples(
        [np.zeros((*size, 3), np.uint8)], [Annotation(np.array([[0, 0, box, box]], np.float32), np.zeros(1, int))], 1
    )
    recipe = settle_recipe(replace(FAST, **given), examples)
    return recipe.long_side, recipe.finest_stride, recipe.batch_images


def test_large_boxes_do_without_the_finest_level() -> None:
    assert settled((200, 200), 80) == (256, 16, 8)  # 80 of 200 becomes 102 of 256
    # 38 of 256; 32² + 16² + 8² + 4² cells are 1,360, of which 8,500 have six.
    assert settled((200, 200), 30) == (256, 8, 6)
    assert settled((200, 200), 80, finest_stride=8, long_side=128) == (128, 8, 8)


def test_large_images_make_small_batches() -> None:
    # Of 64 × 64 cells a window of 32 × 32; with 32² + 16² + 8² that is 2,368: three of 8,500.
    assert settled((640, 640), 30) == (512, 8, 3)
    assert settled((640, 640), 30, window=0) == (512, 8, 2)  # one of 5,440, which is too few
    # 640 × 192: of 80 · 24 cells 32 · 24, with 40 · 12 + 20 · 6 + 10 · 3 that is 1,398.
    assert settled((1000, 250), 40) == (640, 8, 6)


def test_many_images_are_looked_at_in_fewer_ways() -> None:
    image, box = np.zeros((64, 64, 3), np.uint8), np.array([[0, 0, 30, 30]], np.float32)

    def views(count: int) -> int:
        annotations = [Annotation(box, np.zeros(1, int))] * count
        return settle_recipe(FAST, check_examples([image] * count, annotations, 1)).views

    # The boxes are large: 450 steps of 8 views are 3,600.
    assert [views(count) for count in (50, 225, 400, 4000)] == [16, 16, 9, 2]


def test_small_boxes_are_learnt_in_more_steps_on_blocks_that_stay() -> None:
    image, box = np.zeros((200, 200, 3), np.uint8), np.array([[0, 0, 30, 30]], np.float32)
    small = check_examples([image], [Annotation(box, np.zeros(1, int))], 1)
    fast = settle_recipe(FAST, small)
    assert (fast.finest_stride, fast.tuned_from, fast.steps) == (8, 0, 1_800)
    full = settle_recipe(FULL, small)
    assert (full.finest_stride, full.tuned_from, full.steps, full.mosaic) == (8, 3, 1_800, 0.0)
    large = check_examples([image], [Annotation(box * 4, np.zeros(1, int))], 1)
    assert settle_recipe(FAST, large).tuned_from == 7
    assert settle_recipe(FULL, large).mosaic == 0.5
