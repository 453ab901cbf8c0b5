"""Recipe `full`: the blocks of the backbone after its trunk are trained with pyramid and heads, on views drawn anew."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.vision.artifacts import Trained
from training.vision.augmentation import draw_view, move_boxes, render_view
from training.vision.backbone_graph import fold_tail
from training.vision.checkpoints import Checkpoint
from training.vision.detector import Detector
from training.vision.efficientnet import EfficientNetLite0
from training.vision.examples import Example, Image, Pixels, read_pixels
from training.vision.few_shot import OnFeatures, Workbench, describe_trained
from training.vision.graph import head_spec
from training.vision.learner import ParameterGroup, group_parameters
from training.vision.recipes import Recipe
from training.vision.sessions import network_size
from training.vision.train import (
    OnProgress,
    ShouldStop,
    Stopped,
    TrainView,
    build_detector,
    choose_batch,
    compute_view_losses,
    match_anchors,
    train_lesson,
)
from training.vision.weights import Stored, store_difference, store_heads


@dataclass(frozen=True)
class Picture:
    """An image no larger than its views need it: `boxes` (n, 4) are in its pixels, `size` is the network's."""

    image: int
    size: tuple[int, int]
    pixels: Image
    boxes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]


class TunedDetector(nn.Module):
    """The trunk's output (N, 24, H/4, W/4) -> class logits (N, A, K) and box deltas (N, A, 4)."""

    def __init__(self, backbone: EfficientNetLite0, detector: Detector) -> None:
        super().__init__()
        self.backbone = deepcopy(backbone).requires_grad_(False)
        self.backbone.tail.requires_grad_(True)
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            trunk = self.backbone.forward_trunk(images)
        features: list[Tensor] = self.backbone.forward_tail(trunk)
        found: tuple[Tensor, Tensor] = self.detector(features)
        return found


@dataclass(frozen=True)
class PictureLesson:
    """Blocks, pyramid and heads, learnt from views that no step sees twice; drawn by seed and step."""

    module: TunedDetector
    pictures: Sequence[Picture]
    recipe: Recipe
    seed: int

    def parameter_groups(self) -> list[ParameterGroup]:
        """The pretrained blocks move slowly, what is new fast."""
        decay = self.recipe.weight_decay
        return [
            *group_parameters(self.module.backbone.tail, rate=self.recipe.backbone_rate, weight_decay=decay),
            *group_parameters(self.module.detector, rate=self.recipe.learning_rate, weight_decay=decay),
        ]

    def losses(self, step: int, count: int) -> dict[str, Tensor]:
        chosen = choose_batch(self.pictures, count, self.seed, step)
        drawn = [self._draw(self.pictures[index], [self.seed, step, place]) for place, index in enumerate(chosen)]
        images = torch.stack([pixels for pixels, _ in drawn]).float().contiguous(memory_format=torch.channels_last)
        logits, deltas = self.module(images)
        return compute_view_losses(logits, deltas, [view for _, view in drawn], self.recipe)

    def _draw(self, picture: Picture, draw: list[int]) -> tuple[Tensor, TrainView]:
        rng = np.random.default_rng(draw)
        view = draw_view(rng, smallest_crop=self.recipe.smallest_crop, flips=self.recipe.flips)
        pixels = read_pixels(picture.pixels)
        height, width = pixels.shape[:2]
        boxes, kept = move_boxes(picture.boxes, view, height, width, picture.size)
        seen = resize(render_view(pixels, view), picture.size)
        matched = match_anchors(boxes, picture.size, self.recipe)
        return seen, TrainView(picture.image, picture.size, boxes, picture.classes[kept], matched, load=list)


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
    module = workbench.backbone.module
    spec = head_spec(recipe)
    trained = describe_trained(examples, classes, recipe, seed, workbench=workbench)
    tuned = TunedDetector(module, build_detector(spec, module.channels, len(classes), seed))
    average = train_lesson(
        PictureLesson(tuned, views, recipe, seed), recipe=recipe, fingerprint=trained.fingerprint,
        on_progress=on_progress, should_stop=should_stop, checkpoint=checkpoint,
    )  # fmt: skip
    return trained.with_weights(_store(tuned, average, module))


def _store(tuned: TunedDetector, average: dict[str, Tensor], shared: EfficientNetLite0) -> Stored:
    tuned.load_state_dict(average, strict=False)  # the statistics of norms are no parameters, and stay
    heads = {name: weight.detach().numpy() for name, weight in tuned.detector.named_parameters()}
    return store_heads(heads) | store_difference(fold_tail(tuned.backbone), fold_tail(shared))


def prepare_pictures(
    examples: Sequence[Example],
    recipe: Recipe,
    workbench: Workbench,
    *,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
) -> list[list[Picture]]:
    """Shrink every image to what its smallest crop needs; one picture each, large ones on disk."""
    folder = workbench.cache.folder / "pictures"
    folder.mkdir(parents=True, exist_ok=True)

    def prepare(number: int, example: Example) -> Picture:
        if should_stop and should_stop():
            raise Stopped(0)
        return _prepare_picture(number, example, recipe, folder)

    pictures = []
    with ThreadPoolExecutor(workbench.threads) as pool:
        for picture in pool.map(prepare, range(len(examples)), examples):
            pictures.append([picture])
            if on_features:
                on_features(len(pictures), len(examples))
    return pictures


def _prepare_picture(number: int, example: Example, recipe: Recipe, folder: Path) -> Picture:
    size = network_size(example.height, example.width, recipe.long_side)
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
