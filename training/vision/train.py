"""The training loop, in running order. Equal inputs on an equal machine give equal bytes, interrupted or not."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from training.vision.anchors import level_shapes, make_anchors
from training.vision.assignment import assign_anchors
from training.vision.checkpoints import Checkpoint, CheckpointMismatch
from training.vision.detector import Detector
from training.vision.features import Features
from training.vision.graph import HeadSpec
from training.vision.losses import NonFiniteLoss, compute_losses
from training.vision.pyramid import BACKBONE_STRIDES
from training.vision.recipes import Recipe
from training.vision.windows import choose_corner, choose_window, window_cells

OnProgress = Callable[[int, int, dict[str, float]], None]  # step (from 1), total, named losses of that step
ShouldStop = Callable[[], bool]
_GENERATOR = threading.Lock()
CALMER = 0.3  # of the learning rate, after a loss that was not finite: the same steps would end in the same place


class Stopped(Exception):
    """Training was asked to stop; the checkpoint, where one is kept, is of `step`."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


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


def train_detector(
    views: Sequence[TrainView],
    *,
    recipe: Recipe,
    spec: HeadSpec,
    channels: tuple[int, ...],
    classes: int,
    seed: int,
    fingerprint: str,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, npt.NDArray[np.float16]]:
    """Train pyramid and heads on cached features; return the averaged weights as fp16, as they are stored and served.

    What the `checkpoint` holds is resumed from; it is written every `recipe.checkpoint_steps`; `fingerprint` names
    the data and settings it belongs to. After a loss that is not finite it goes back to the last of those steps and on
    at CALMER of the learning rate; once. Raises Stopped, NonFiniteLoss (the second time) and CheckpointMismatch.
    """
    learner = _Learner(_build_detector(spec, channels, classes, seed), recipe, fingerprint)
    stored = checkpoint.load() if checkpoint else None
    step = learner.resume(stored) if stored else 0
    kept = learner.pack(step)

    while step < recipe.steps:
        if should_stop and should_stop():
            if checkpoint:
                checkpoint.save(step, learner.pack(step))
            raise Stopped(step)
        batch = choose_batch(views, recipe.batch_images, seed, step)
        losses = learn_batch(learner.detector, [views[index] for index in batch], recipe, seed=seed, step=step)
        named = {name: float(loss.detach()) for name, loss in losses.items()}
        if not _are_finite(named):
            step = learner.go_back(kept, NonFiniteLoss(step, named))
            continue

        learner.learn(sum(losses.values(), start=torch.zeros(())), step)
        step += 1
        # The last step is kept too: a run that dies after one of several trainings does not repeat it.
        if step % recipe.checkpoint_steps == 0 or step == recipe.steps:
            kept = learner.pack(step)
            if checkpoint:
                checkpoint.save(step, kept)
        if on_progress:
            on_progress(step, recipe.steps, named)
    return {name: np.asarray(weight.numpy(), np.float16, order="C") for name, weight in learner.average.items()}


def _are_finite(losses: dict[str, float]) -> bool:
    return all(math.isfinite(value) for value in losses.values())


def learn_batch(
    detector: Detector, batch: Sequence[TrainView], recipe: Recipe, *, seed: int, step: int
) -> dict[str, Tensor]:
    """Named losses of views of one size, of which only windows are learnt at the finest level where they are large."""
    size = batch[0].size
    window = choose_window(size, recipe.window) if recipe.finest_stride == BACKBONE_STRIDES[0] else None
    corners = _choose_corners(batch, window, seed, step)
    logits, deltas = detector(_stack_features([view.load() for view in batch], window, corners), corners)
    anchors = make_anchors(*size, recipe.anchor_scale, recipe.finest_stride)
    aims = [(anchors, *view.targets()) for view in batch]  # (A, 4), (A,), (A, 4)
    if window:
        kept = [window_cells(size, window, corner) for corner in corners]
        aims = [(a[cells], b[cells], c[cells]) for (a, b, c), cells in zip(aims, kept, strict=True)]
    stacked = [torch.stack(column) for column in zip(*aims, strict=True)]
    return compute_losses(logits, deltas, *stacked, quality=recipe.quality, box_weight=recipe.box_weight)


def match_anchors(boxes: npt.NDArray[np.float32], size: tuple[int, int], recipe: Recipe) -> npt.NDArray[np.int16]:
    """TrainView.matched of a view of that size, by a settled recipe."""
    anchors = make_anchors(*size, recipe.anchor_scale, recipe.finest_stride)
    cells = [rows * columns for rows, columns in level_shapes(*size, recipe.finest_stride)]
    return assign_anchors(anchors, cells, torch.from_numpy(boxes), recipe.candidates).numpy().astype(np.int16)


def choose_batch(views: Sequence[TrainView], count: int, seed: int, step: int) -> list[int]:
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


def schedule_rate(step: int, steps: int, warmup_fraction: float) -> float:
    """One cycle, as a fraction of the peak: linear from 0.04 to 1, then a half cosine to 0.001."""
    warmup = max(1, round(steps * warmup_fraction))
    if step < warmup:
        return 0.04 + 0.96 * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.001 + 0.999 * (1 + math.cos(math.pi * done)) / 2


def _build_detector(spec: HeadSpec, channels: tuple[int, ...], classes: int, seed: int) -> Detector:
    # The generator is the process's; trainings of one run start at the same time.
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = spec.build_detector(channels, classes)
    # Channels last: a fifth less time in convolutions.
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's own stubs
    return detector


def _parameter_groups(detector: Detector, weight_decay: float) -> list[dict[str, object]]:
    """Norms and biases are not decayed: pulling a norm's scale to zero switches channels off."""
    weights = [weight for weight in detector.parameters() if weight.ndim > 1]
    others = [weight for weight in detector.parameters() if weight.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


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


class _Learner:
    """Everything the loop carries from step to step, and whose it is."""

    def __init__(self, detector: Detector, recipe: Recipe, fingerprint: str) -> None:
        self.detector = detector
        self.average = {name: weight.detach().clone() for name, weight in detector.named_parameters()}
        self.is_calmed = False
        self._recipe = recipe
        self._fingerprint = fingerprint
        self._optimizer = torch.optim.AdamW(
            _parameter_groups(detector, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.99), foreach=False
        )

    def learn(self, loss: Tensor, step: int) -> None:
        """One step downhill."""
        peak = self._recipe.learning_rate * (CALMER if self.is_calmed else 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = peak * schedule_rate(step, self._recipe.steps, self._recipe.warmup_fraction)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), self._recipe.clip_norm)
        self._optimizer.step()
        self._average(step)

    def go_back(self, kept: bytes, trouble: NonFiniteLoss) -> int:
        """Back to what was kept; returns the step to go on with, more slowly. Raises the trouble the second time."""
        if self.is_calmed:
            raise trouble
        step = self.resume(kept)
        self.is_calmed = True
        return step

    @torch.no_grad()
    def _average(self, step: int) -> None:
        decay = min(self._recipe.ema_decay, (1 + step) / (10 + step))  # the random start is forgotten quickly
        for name, weight in self.detector.named_parameters():
            self.average[name].lerp_(weight, 1 - decay)

    def pack(self, step: int) -> bytes:
        tensors = {
            "step": torch.tensor(step),
            "calmed": torch.tensor(self.is_calmed),
            "fingerprint": torch.frombuffer(bytearray(self._fingerprint.encode()), dtype=torch.uint8),
        }
        for name, weight in self.detector.named_parameters():
            state = self._optimizer.state[weight]
            tensors[f"weight.{name}"], tensors[f"average.{name}"] = weight.detach(), self.average[name]
            if state:
                tensors[f"first.{name}"], tensors[f"second.{name}"] = state["exp_avg"], state["exp_avg_sq"]
        return save({name: tensor.contiguous() for name, tensor in tensors.items()})

    def resume(self, data: bytes) -> int:
        """Takes on what `pack` packed; returns the step to go on with. Raises CheckpointMismatch."""
        try:
            stored = load(data)
            if bytes(stored["fingerprint"].numpy()) != self._fingerprint.encode():
                raise CheckpointMismatch("the checkpoint belongs to another run")
            step, self.is_calmed = int(stored["step"]), bool(stored["calmed"])
            with torch.no_grad():
                for name, weight in self.detector.named_parameters():
                    self._resume_weight(name, weight, stored, step)
        except (KeyError, RuntimeError, SafetensorError) as error:
            raise CheckpointMismatch(f"the checkpoint cannot be read: {error!r}") from error
        return step

    def _resume_weight(self, name: str, weight: Tensor, stored: dict[str, Tensor], step: int) -> None:
        weight.copy_(stored[f"weight.{name}"])
        self.average[name].copy_(stored[f"average.{name}"])
        self._optimizer.state.pop(weight, None)
        if step:
            self._optimizer.state[weight] = {
                "step": torch.tensor(float(step)),
                # Laid out as the weight is: equal bytes come from equal loops.
                "exp_avg": torch.empty_like(weight).copy_(stored[f"first.{name}"]),
                "exp_avg_sq": torch.empty_like(weight).copy_(stored[f"second.{name}"]),
            }
