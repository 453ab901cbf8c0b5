"""Recipe `full`: most blocks of the backbone are trained with pyramid and heads, on views drawn anew in each step."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from training.vision.artifacts import Trained
from training.vision.augmentation import draw_view, move_boxes, render_view
from training.vision.checkpoints import Checkpoint
from training.vision.cutting import cut_examples
from training.vision.examples import Example, Image, Pixels, read_pixels
from training.vision.features import input_size, tiling_of
from training.vision.few_shot import OnFeatures, Workbench, describe_trained
from training.vision.recipes import Recipe, Variety
from training.vision.train import (
    OnProgress,
    ShouldStop,
    Stopped,
    TrainView,
    choose_batch,
    compute_view_losses,
    match_anchors,
    train_lesson,
)
from training.vision.tuning import TunedDetector, build_tuned, store_tuned

MOSAIC_SHARE = 0.6  # of the steps


@dataclass(frozen=True)
class Picture:
    """An image no larger than its views need it: `boxes` (n, 4) are in its pixels, `size` is the network's."""

    image: int
    size: tuple[int, int]
    pixels: Image
    boxes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class PictureLesson:
    """Blocks, pyramid and heads, learnt from views that no step sees twice; drawn by seed and step."""

    module: TunedDetector
    pictures: Sequence[Picture]
    recipe: Recipe
    seed: int

    def losses(self, step: int, count: int) -> dict[str, Tensor]:
        chosen = choose_batch(self.pictures, count, self.seed, step)
        # The last steps see images as they will be seen (Ge et al. 2021, YOLOX): 0.02 of AP50 on steel.
        mosaic = self.recipe.mosaic if step < MOSAIC_SHARE * self.recipe.steps else 0.0
        drawn = [
            self._draw(self.pictures[index], [self.seed, step, place], mosaic) for place, index in enumerate(chosen)
        ]
        images = torch.stack([pixels for pixels, _ in drawn]).float().contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            parts = self.module.backbone.forward_until(images, self.module.cut)
        logits, deltas = self.module(parts)
        return compute_view_losses(logits, deltas, [view for _, view in drawn], self.recipe)

    def _draw(self, picture: Picture, draw: list[int], mosaic: float) -> tuple[Tensor, TrainView]:
        """A view of the picture, or with that probability a mosaic of four pictures of which it is the first."""
        rng = np.random.default_rng(draw)
        if rng.random() >= mosaic:
            seen, boxes, classes = _see(picture, rng, self.recipe.variety, picture.size)
        else:
            alike = [other for other in self.pictures if other.size == picture.size]
            others = [alike[int(index)] for index in rng.integers(len(alike), size=3)]
            seen, boxes, classes = _lay_mosaic([picture, *others], rng, self.recipe)
        matched = match_anchors(boxes, picture.size, self.recipe)
        return seen, TrainView(picture.image, picture.size, boxes, classes, matched, load=list)


_Seen = tuple[Tensor, npt.NDArray[np.float32], npt.NDArray[np.int64]]


def _see(picture: Picture, rng: np.random.Generator, variety: Variety, size: tuple[int, int]) -> _Seen:
    """Pixels (3, h, w) uint8, boxes (n, 4) and classes (n,) of a view at random."""
    view = draw_view(rng, variety)
    pixels = read_pixels(picture.pixels)
    height, width = pixels.shape[:2]
    boxes, kept = move_boxes(picture.boxes, view, height, width, size)
    return resize(render_view(pixels, view), size), boxes, picture.classes[kept]


def _lay_mosaic(pictures: Sequence[Picture], rng: np.random.Generator, recipe: Recipe) -> _Seen:
    """Four views in the quarters of one, each at half its size (Bochkovskiy, Wang and Liao 2020, without the cutting).

    Defects are seen smaller, and beside others than those they came with.
    """
    height, width = (side // 2 for side in pictures[0].size)
    seen = [_see(picture, rng, recipe.variety, (height, width)) for picture in pictures]
    rows = [torch.cat([left[0], right[0]], dim=2) for left, right in (seen[:2], seen[2:])]
    corners = [np.array([x, y, x, y], np.float32) for y in (0, height) for x in (0, width)]
    boxes = [own + corner for (_, own, _), corner in zip(seen, corners, strict=True)]
    return torch.cat(rows, dim=1), np.concatenate(boxes), np.concatenate([classes for _, _, classes in seen])


def train_full(
    examples: Sequence[Example],
    classes: Sequence[str],
    recipe: Recipe,
    seed: int,
    *,
    workbench: Workbench,
    views: Sequence[Picture],
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train on the prepared pictures of the examples, by a settled recipe; raises what train_lesson raises."""
    trained = describe_trained(examples, classes, recipe, seed, workbench=workbench)
    tuned = build_tuned(workbench.backbone.module, trained.heads, len(classes), seed)
    average = train_lesson(
        PictureLesson(tuned, views, recipe, seed), recipe=recipe, fingerprint=trained.fingerprint,
        on_progress=on_progress, should_stop=should_stop, checkpoint=checkpoint,
    )  # fmt: skip
    return trained.with_weights(store_tuned(tuned, average, workbench.backbone.module, recipe.tuned_rank))


def prepare_pictures(
    examples: Sequence[Example],
    recipe: Recipe,
    workbench: Workbench,
    *,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
) -> list[list[Picture]]:
    """Shrink every image, or each tile of it, to what its smallest crop needs; large ones are put on disk."""
    folder = workbench.cache.folder / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    parts = cut_examples(examples, tiling_of(recipe), workbench.cache.folder / "tiles")

    def prepare(number: int, own: Sequence[Example]) -> list[Picture]:
        if should_stop and should_stop():
            raise Stopped(0)
        return [_prepare_picture(number, part, recipe, folder) for part in own]

    pictures = []
    with ThreadPoolExecutor(workbench.threads) as pool:
        for prepared in pool.map(prepare, range(len(parts)), parts):
            pictures.append(prepared)
            if on_features:
                on_features(len(pictures), len(parts))
    return pictures


def _prepare_picture(number: int, example: Example, recipe: Recipe, folder: Path) -> Picture:
    size = input_size(example, recipe)
    wanted = tuple(round(side / recipe.smallest_crop) for side in size)
    image, scale = example.image, np.ones(4, np.float32)
    if wanted[0] < example.height and wanted[1] < example.width:
        image = folder / f"{example.sha256}-{wanted[0]}x{wanted[1]}.npy"
        if not image.exists():
            shrunk = resize(np.ascontiguousarray(example.pixels()), (wanted[0], wanted[1]))
            np.save(image, shrunk.permute(1, 2, 0).contiguous().numpy())
        scale = np.array([wanted[1] / example.width, wanted[0] / example.height] * 2, np.float32)
    return Picture(number, size, image, example.boxes * scale, example.classes)


def resize(pixels: Pixels, size: tuple[int, int]) -> Tensor:
    """(H, W, 3) uint8 -> (3, h, w) uint8, filtered before it shrinks, as the graphs do it."""
    # A copy: files are mapped, and a mirrored line of one pixel counts as contiguous though it runs backwards.
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    return functional.interpolate(planes, size, mode="bilinear", antialias=True)[0]
