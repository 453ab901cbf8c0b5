"""The training loop, in running order. Equal inputs on an equal machine give equal bytes, interrupted or not."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.vision.anchors import level_shapes, make_anchors
from training.vision.assignment import assign_anchors
from training.vision.detector import Detector
from training.vision.features import Features
from training.vision.losses import NonFiniteLoss, compute_losses
from training.vision.recipes import Recipe

OnProgress = Callable[[int, int, dict[str, float]], None]  # step (from 1), total, named losses of that step
ShouldStop = Callable[[], bool]


class Stopped(Exception):
    """Training was asked to stop; the checkpoint, where one is kept, is of `step`."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


class CheckpointMismatch(ValueError):
    """The checkpoint is of other data, another recipe or another seed."""


@dataclass(frozen=True)
class TrainView:
    """One cached view: `load` returns its features, `boxes` (n, 4) are in pixels of the (height, width) `size`."""

    image: int  # views of one image share this number
    size: tuple[int, int]
    boxes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    load: Callable[[], Features]


@dataclass(frozen=True)
class Targets:
    """What each anchor of a view should say: `labels` (A,) class or -1, `boxes` (A, 4), of positives only meant."""

    labels: Tensor
    boxes: Tensor


def train_detector(
    views: Sequence[TrainView],
    *,
    recipe: Recipe,
    inputs: tuple[int, ...],
    classes: int,
    seed: int,
    fingerprint: str,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint: Path | None = None,
) -> dict[str, npt.NDArray[np.float16]]:
    """Train pyramid and heads on cached features; return the averaged weights as fp16, as they are stored and served.

    A `checkpoint` file that exists is resumed from, and written every `recipe.checkpoint_steps`; `fingerprint` names
    the data and settings it belongs to. Raises Stopped, NonFiniteLoss and CheckpointMismatch.
    """
    detector = _build_detector(recipe, inputs, classes, seed)
    average = {name: weight.detach().clone() for name, weight in detector.named_parameters()}
    optimizer = torch.optim.AdamW(
        _parameter_groups(detector, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.99), foreach=False
    )
    start = _resume(checkpoint, detector, optimizer, average, fingerprint) if checkpoint and checkpoint.exists() else 0
    targets = [make_targets(view, recipe) for view in views]
    anchors = {view.size: make_anchors(*view.size, recipe.anchor_scale) for view in views}

    for step in range(start, recipe.steps):
        if should_stop and should_stop():
            if checkpoint:
                _save(checkpoint, detector, optimizer, average, fingerprint=fingerprint, step=step)
            raise Stopped(step)
        batch = choose_batch(views, recipe.batch_images, seed, step)
        size = views[batch[0]].size
        features = _stack_features([views[index].load() for index in batch])
        logits, deltas = detector(features)
        losses = compute_losses(
            logits, deltas, anchors[size],
            torch.stack([targets[index].labels for index in batch]),
            torch.stack([targets[index].boxes for index in batch]),
            quality=recipe.quality, box_weight=recipe.box_weight,
        )  # fmt: skip
        named = {name: float(loss.detach()) for name, loss in losses.items()}
        if not all(math.isfinite(value) for value in named.values()):
            raise NonFiniteLoss(step, named)

        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * schedule_rate(step, recipe.steps, recipe.warmup_fraction)
        optimizer.zero_grad(set_to_none=True)
        sum(losses.values(), start=torch.zeros(())).backward()  # type: ignore[no-untyped-call]  # torch's own
        torch.nn.utils.clip_grad_norm_(detector.parameters(), recipe.clip_norm)
        optimizer.step()
        _average_weights(average, detector, step, recipe.ema_decay)

        done = step + 1
        # The last step is kept too: a run that dies after one of several trainings does not repeat it.
        if checkpoint and (done % recipe.checkpoint_steps == 0 or done == recipe.steps):
            _save(checkpoint, detector, optimizer, average, fingerprint=fingerprint, step=done)
        if on_progress:
            on_progress(done, recipe.steps, named)
    return {name: weight.numpy().astype(np.float16) for name, weight in average.items()}


def make_targets(view: TrainView, recipe: Recipe) -> Targets:
    """Assign the view's boxes to the anchors of its size."""
    boxes, classes = torch.from_numpy(view.boxes), torch.from_numpy(view.classes)
    anchors = make_anchors(*view.size, recipe.anchor_scale)
    cells = [rows * columns for rows, columns in level_shapes(*view.size)]
    matched = assign_anchors(anchors, cells, boxes, recipe.candidates)
    if not len(boxes):
        return Targets(matched, torch.zeros(len(anchors), 4))
    found = matched.clamp(min=0)
    return Targets(torch.where(matched >= 0, classes[found], matched), boxes[found])


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


def schedule_rate(step: int, steps: int, warmup_fraction: float) -> float:
    """One cycle, as a fraction of the peak: linear from 0.04 to 1, then a half cosine to 0.001."""
    warmup = max(1, round(steps * warmup_fraction))
    if step < warmup:
        return 0.04 + 0.96 * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.001 + 0.999 * (1 + math.cos(math.pi * done)) / 2


def _build_detector(recipe: Recipe, inputs: tuple[int, ...], classes: int, seed: int) -> Detector:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Detector(inputs, recipe.pyramid_channels, recipe.tower_depth, classes)


def _parameter_groups(detector: Detector, weight_decay: float) -> list[dict[str, object]]:
    """Norms and biases are not decayed: pulling a norm's scale to zero switches channels off."""
    weights = [weight for weight in detector.parameters() if weight.ndim > 1]
    others = [weight for weight in detector.parameters() if weight.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _stack_features(batch: list[Features]) -> list[Tensor]:
    """[view][level] (C, h, w) fp16 -> [level] (N, C, h, w) float."""
    return [torch.from_numpy(np.stack(level).astype(np.float32)) for level in zip(*batch, strict=True)]


@torch.no_grad()
def _average_weights(average: dict[str, Tensor], detector: Detector, step: int, decay: float) -> None:
    decay = min(decay, (1 + step) / (10 + step))  # the random start is forgotten quickly
    for name, weight in detector.named_parameters():
        average[name].lerp_(weight, 1 - decay)


def _save(
    path: Path,
    detector: Detector,
    optimizer: torch.optim.AdamW,
    average: dict[str, Tensor],
    *,
    fingerprint: str,
    step: int,
) -> None:
    tensors = {}
    for name, weight in detector.named_parameters():
        state = optimizer.state[weight]
        tensors[f"weight.{name}"], tensors[f"average.{name}"] = weight.detach(), average[name]
        if state:
            tensors[f"first.{name}"], tensors[f"second.{name}"] = state["exp_avg"], state["exp_avg_sq"]
    metadata = {"step": json.dumps(step), "fingerprint": fingerprint}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=metadata)
    partial.replace(path)


def _resume(
    path: Path, detector: Detector, optimizer: torch.optim.AdamW, average: dict[str, Tensor], fingerprint: str
) -> int:
    """Load everything the loop carries from step to step; return the step to go on with."""
    with safe_open(path, framework="pt") as stored:
        metadata = stored.metadata()
        if metadata.get("fingerprint") != fingerprint:
            raise CheckpointMismatch(f"{path.name} belongs to another run")
        step = int(json.loads(metadata["step"]))
        with torch.no_grad():
            for name, weight in detector.named_parameters():
                weight.copy_(stored.get_tensor(f"weight.{name}"))
                average[name].copy_(stored.get_tensor(f"average.{name}"))
                if step:
                    optimizer.state[weight] = {
                        "step": torch.tensor(float(step)),
                        "exp_avg": stored.get_tensor(f"first.{name}"),
                        "exp_avg_sq": stored.get_tensor(f"second.{name}"),
                    }
    return step
