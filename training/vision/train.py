"""The training loop, in running order. Equal inputs on an equal machine give equal bytes, interrupted or not."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.vision.anchors import level_shapes, make_anchors
from training.vision.assignment import assign_anchors
from training.vision.checkpoints import Checkpoint
from training.vision.detector import Detector
from training.vision.features import Features
from training.vision.graph import HeadSpec
from training.vision.learner import Learner, Lesson
from training.vision.losses import NonFiniteLoss, compute_losses
from training.vision.pyramid import BACKBONE_STRIDES
from training.vision.recipes import Recipe
from training.vision.windows import choose_corner, choose_window, window_cells

OnProgress = Callable[[int, int, dict[str, float]], None]  # step (from 1), total, named losses of that step
ShouldStop = Callable[[], bool]
_GENERATOR = threading.Lock()


class Stopped(Exception):
    """Training was asked to stop; the checkpoint, where one is kept, is of `step`."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


class Sized(Protocol):
    """What a batch is chosen from."""

    @property
    def image(self) -> int: ...
    @property
    def size(self) -> tuple[int, int]: ...


@dataclass(frozen=True)
class TrainView:
    """One cached view: `load` returns its features, `boxes` (n, 4) are in pixels of the (height, width) `size`."""

    image: int  # views of one image share this number
    size: tuple[int, int]
    boxes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    matched: npt.NDArray[np.int16]  # (A,) index of the box that each anchor answers for, or -1
    load: Callable[[], Features]

    def targets(self) -> tuple[Tensor, Tensor]:
        """What each anchor should say: labels (A,) class or -1, boxes (A, 4), of positives only meant."""
        matched = torch.from_numpy(self.matched.astype(np.int64))
        if not len(self.boxes):
            return matched, torch.zeros(len(matched), 4)
        found = matched.clamp(min=0)
        return torch.where(matched >= 0, torch.from_numpy(self.classes)[found], matched), torch.from_numpy(self.boxes)[
            found
        ]


def train_lesson(
    lesson: Lesson,
    *,
    recipe: Recipe,
    fingerprint: str,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, Tensor]:
    """Take `recipe.steps` steps; return the averaged parameters of the lesson's module.

    What the `checkpoint` holds is resumed from; it is written every `recipe.checkpoint_steps`; `fingerprint` names
    the data and settings it belongs to. After a loss that is not finite it goes back to the last of those steps and on
    at CALMER of the learning rate; once. Where memory ends the batch is halved for good; that is kept too, so that a
    resumed training does not differ. Raises Stopped, NonFiniteLoss (the second time), CheckpointMismatch, and
    OutOfMemory where one image does not fit.
    """
    learner = Learner(lesson, recipe, fingerprint)
    stored = checkpoint.load() if checkpoint else None
    step = learner.resume(stored) if stored else 0
    kept = learner.pack(step)

    while step < recipe.steps:
        if should_stop and should_stop():
            if checkpoint:
                checkpoint.save(step, learner.pack(step))
            raise Stopped(step)
        try:
            named = learner.learn(step)
        except NonFiniteLoss as trouble:
            step = learner.go_back(kept, trouble)
            continue
        step += 1
        # The last step is kept too: a run that dies after one of several trainings does not repeat it.
        if step % recipe.checkpoint_steps == 0 or step == recipe.steps:
            kept = learner.pack(step)
            if checkpoint:
                checkpoint.save(step, kept)
        if on_progress:
            on_progress(step, recipe.steps, named)
    return learner.average


@dataclass(frozen=True)
class FeatureLesson:
    """Learnt from cached features: `module` takes them as it is given them, from the finest level on."""

    module: nn.Module
    views: Sequence[TrainView]
    recipe: Recipe
    seed: int

    def losses(self, step: int, count: int) -> dict[str, Tensor]:
        batch = choose_batch(self.views, count, self.seed, step)
        return learn_batch(self.module, [self.views[i] for i in batch], self.recipe, seed=self.seed, step=step)


def learn_batch(
    detector: nn.Module, batch: Sequence[TrainView], recipe: Recipe, *, seed: int, step: int
) -> dict[str, Tensor]:
    """Named losses of views of one size, of which only windows are learnt at the finest level where they are large."""
    size = batch[0].size
    window = choose_window(size, recipe.window) if recipe.finest_stride == BACKBONE_STRIDES[0] else None
    corners = _choose_corners(batch, window, seed, step)
    logits, deltas = detector(_stack_features([view.load() for view in batch], window, corners), corners)
    kept = [window_cells(size, window, corner) for corner in corners] if window else None
    return compute_view_losses(logits, deltas, batch, recipe, kept)


def compute_view_losses(
    logits: Tensor, deltas: Tensor, batch: Sequence[TrainView], recipe: Recipe, kept: Sequence[Tensor] | None = None
) -> dict[str, Tensor]:
    """Named losses of logits (N, A, K) and deltas (N, A, 4) of views of one size; `kept` are the anchors computed."""
    anchors = make_anchors(*batch[0].size, recipe.anchor_scale, recipe.finest_stride)
    aims = [(anchors, *view.targets()) for view in batch]  # (A, 4), (A,), (A, 4)
    if kept is not None:
        aims = [(a[cells], b[cells], c[cells]) for (a, b, c), cells in zip(aims, kept, strict=True)]
    stacked = [torch.stack(column) for column in zip(*aims, strict=True)]
    return compute_losses(logits, deltas, *stacked, quality=recipe.quality, box_weight=recipe.box_weight)


def match_anchors(boxes: npt.NDArray[np.float32], size: tuple[int, int], recipe: Recipe) -> npt.NDArray[np.int16]:
    """TrainView.matched of a view of that size, by a settled recipe."""
    anchors = make_anchors(*size, recipe.anchor_scale, recipe.finest_stride)
    cells = [rows * columns for rows, columns in level_shapes(*size, recipe.finest_stride)]
    return assign_anchors(anchors, cells, torch.from_numpy(boxes), recipe.candidates).numpy().astype(np.int16)


def choose_batch(views: Sequence[Sized], count: int, seed: int, step: int) -> list[int]:
    """The step's views: of one size, at most one an image where images suffice; decided by seed and step only."""
    rng = np.random.default_rng([seed, step])
    size = views[int(rng.integers(len(views)))].size  # sizes are drawn as often as they occur
    of_image: dict[int, list[int]] = {}
    for index, view in enumerate(views):
        if view.size == size:
            of_image.setdefault(view.image, []).append(index)
    images = list(of_image)
    chosen = rng.choice(len(images), size=count, replace=len(images) < count)
    return [int(rng.choice(of_image[images[int(number)]])) for number in chosen]


def _choose_corners(
    batch: Sequence[TrainView], window: tuple[int, int] | None, seed: int, step: int
) -> list[tuple[int, int]]:
    if window is None:
        return []
    return [choose_corner(view.boxes, view.size, window, [seed, step, place]) for place, view in enumerate(batch)]


def build_detector(spec: HeadSpec, channels: tuple[int, ...], classes: int, seed: int) -> Detector:
    # The generator is the process's; trainings of one run start at the same time.
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = spec.build_detector(channels, classes)
    # Channels last: a fifth less time in convolutions.
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's own stubs
    return detector


def _stack_features(
    batch: list[Features], window: tuple[int, int] | None, corners: Sequence[tuple[int, int]]
) -> list[Tensor]:
    """[view][level] (C, h, w) fp16 -> [level] (N, C, h, w) float, of the first level the windows."""
    if window:
        batch = [
            [features[0][:, row : row + window[0], column : column + window[1]], *features[1:]]
            for features, (row, column) in zip(batch, corners, strict=True)
        ]
    levels = [torch.from_numpy(np.stack(level).astype(np.float32)) for level in zip(*batch, strict=True)]
    return [level.contiguous(memory_format=torch.channels_last) for level in levels]
