"""Features of the frozen backbone, kept on disk: each view goes through the backbone once, however often it is learnt.

They come from the very graph that serves the model, so training sees what prediction will see.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from training.vision.anchors import level_shapes
from training.vision.examples import Example
from training.vision.pyramid import BACKBONE_STRIDES
from training.vision.recipes import Recipe
from training.vision.sessions import network_size, tile_size
from training.vision.tiling import Tiling
from training.vision.windows import choose_window

Features = list[npt.NDArray[np.float16]]  # (C, h, w) at strides 8, 16 and 32
SMALLEST_SIDE, LARGEST_SIDE = 256, 640
WANTED_PIXELS = 24  # of a small box after resizing: three cells of the finest level
LEAST_BATCH, LEAST_VIEWS = 2, 2
TILE_SIDE = 512  # of the network's input
SMALL, LARGE = 0.25, 0.95  # quantiles of the boxes' sizes that count as such
OVERLAP_MARGIN = 16  # pixels beyond a large box: what stands at its edge belongs to it
LARGE_PIXELS = 48  # so large a small box does without cells of 8 pixels


class FeatureCache:
    """Files `folder`/{backbone}/{preprocessing}/{image}.safetensors, all together at most `byte_limit` bytes.

    A full cache first drops files that this object never used, in order of name, and then stops storing: results never
    depend on what is cached, and nothing depends on the clock. Threads may share it.
    """

    def __init__(self, folder: Path, byte_limit: int, backbone_sha256: str) -> None:
        self.folder, self._limit, self._backbone = folder, byte_limit, backbone_sha256
        self._used: set[Path] = set()
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*.safetensors"))}
        self.bytes_used = sum(self._sizes.values())

    def fetch(self, image_sha256: str, preprocessing: str, compute: Callable[[], Features]) -> Features:
        """Return the stored features, or compute and, where they fit, store them."""
        kind = sha256(preprocessing.encode()).hexdigest()[:32]
        path = self.folder / self._backbone[:32] / kind / f"{image_sha256}.safetensors"
        with self._lock:
            self._used.add(path)
            is_stored = path in self._sizes and path.exists()
        if is_stored:
            stored = load_file(path)
            return [stored[f"{index}"] for index in range(len(stored))]
        features = compute()
        with self._lock:
            self._store(path, features)
        return features

    def _store(self, path: Path, features: Features) -> None:
        needed = sum(feature.nbytes for feature in features) + 512  # the header's share
        if path in self._sizes or not self._make_room(needed):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        save_file({f"{index}": feature for index, feature in enumerate(features)}, partial)
        partial.replace(path)  # a run killed here leaves no half file under the real name
        self._sizes[path] = path.stat().st_size
        self.bytes_used += self._sizes[path]

    def _make_room(self, needed: int) -> bool:
        if needed > self._limit:
            return False
        if self.bytes_used + needed > self._limit:
            for path in [path for path in self._sizes if path not in self._used]:
                self.bytes_used -= self._sizes.pop(path)
                path.unlink(missing_ok=True)
                if self.bytes_used + needed <= self._limit:
                    break
        return self.bytes_used + needed <= self._limit


def settle_recipe(recipe: Recipe, examples: Sequence[Example]) -> Recipe:
    """The recipe with everything chosen that it leaves to the boxes."""
    if not recipe.long_side:
        recipe = _settle_sizes(recipe, examples)
    finest = recipe.finest_stride or choose_finest_stride(examples, recipe)
    recipe = suit_boxes(replace(recipe, finest_stride=finest))
    sizes = [input_size(example, recipe) for example in examples]
    cells = max(_count_cells(size, finest, recipe.window) for size in sizes)
    batch = min(recipe.batch_images, max(LEAST_BATCH, recipe.step_cells // cells))
    if not recipe.caches_views:
        pixels = max(height * width for height, width in sizes)
        batch = min(recipe.batch_images, max(1, recipe.step_pixels // pixels))
    # A thousand images need not be looked at in more ways than there is time to learn.
    views = min(recipe.views, max(LEAST_VIEWS, -(-recipe.steps * batch // len(examples))))
    return replace(recipe, batch_images=batch, views=views)


def suit_boxes(recipe: Recipe) -> Recipe:
    """The recipe as its finest level wants it.

    Small boxes would be lost in a mosaic, where all is half as large. And what tells them is in the features before the
    later blocks: time is better spent on steps than on tuning those.
    """
    if recipe.finest_stride != BACKBONE_STRIDES[0]:
        return recipe
    recipe = replace(recipe, mosaic=0.0)
    return replace(recipe, tuned_from=0, steps=recipe.fine_steps) if recipe.fine_steps else recipe


def tiling_of(recipe: Recipe) -> Tiling | None:
    """How a settled recipe looks at images; None: whole."""
    return Tiling(recipe.tile, recipe.tile_overlap, recipe.nms_iou) if recipe.tile else None


def input_size(example: Example, recipe: Recipe) -> tuple[int, int]:
    """Height and width of what the network sees at once of an example, or of a tile of it, by a settled recipe."""
    tiling = tiling_of(recipe)
    if tiling is None:
        return network_size(example.height, example.width, recipe.long_side)
    return tile_size(min(example.height, tiling.side), min(example.width, tiling.side), recipe.long_side, tiling)


def _count_cells(size: tuple[int, int], finest: int, window: int) -> int:
    """Cells of a view that a step computes."""
    shapes = level_shapes(*size, finest)
    if finest == BACKBONE_STRIDES[0]:
        shapes[0] = choose_window(size, window) or shapes[0]
    return sum(rows * columns for rows, columns in shapes)


def _settle_sizes(recipe: Recipe, examples: Sequence[Example]) -> Recipe:
    """With `long_side`; where a small box would have less than half of WANTED_PIXELS at the largest, with tiles too.

    A tile is scaled so that a small box has WANTED_PIXELS, but never enlarged; tiles overlap by nearly the largest box.
    """
    whole = replace(recipe, long_side=choose_long_side(examples))
    if recipe.tile or choose_long_side(examples, 2 * LARGEST_SIDE + 64) <= 2 * LARGEST_SIDE:
        return whole
    boxes = np.concatenate([example.boxes for example in examples])
    sides = boxes[:, 2:] - boxes[:, :2]
    small = float(np.quantile(np.sqrt(sides.prod(axis=1)), SMALL))
    tile = round(TILE_SIDE * max(1.0, small / WANTED_PIXELS))
    if tile >= max(max(example.height, example.width) for example in examples):
        return whole
    overlap = min(round(float(np.quantile(sides.max(axis=1), LARGE))) + OVERLAP_MARGIN, tile // 2)
    return replace(recipe, long_side=TILE_SIDE, tile=tile, tile_overlap=overlap)


def choose_long_side(examples: Sequence[Example], largest: int = LARGEST_SIDE) -> int:
    """Longer side, in pixels, to which images are resized so that a small box (lower quartile) keeps WANTED_PIXELS.

    Between 256 and `largest` and a multiple of 64.
    """
    wanted = WANTED_PIXELS / _small_box(examples)
    return int(min(max(np.ceil(wanted / 64) * 64, SMALLEST_SIDE), largest))


def choose_finest_stride(examples: Sequence[Example], recipe: Recipe) -> int:
    """16 where a small box is LARGE_PIXELS long after resizing, else 8; tiles are for small ones."""
    return 16 if not recipe.tile and _small_box(examples) * recipe.long_side >= LARGE_PIXELS else 8


def _small_box(examples: Sequence[Example]) -> float:
    """Lower quartile of the boxes' sizes (root of the area), in longer sides of their images."""
    relative = [
        float(np.sqrt((box[2] - box[0]) * (box[3] - box[1]))) / max(example.height, example.width)
        for example in examples
        for box in example.boxes
    ]
    return max(float(np.quantile(relative, SMALL)), 1e-6) if relative else 1.0
