"""What a training carries from step to step: weights, their average, moments of the optimiser, how it went so far."""

import math
from typing import Any, Protocol, TypedDict, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from training.vision.checkpoints import CheckpointMismatch
from training.vision.losses import NonFiniteLoss
from training.vision.recipes import Recipe

CALMER = 0.3  # of the learning rate, after a loss that was not finite: the same steps would end in the same place


class OutOfMemory(MemoryError):
    """Not even one image fits."""


class ParameterGroup(TypedDict):
    """What the optimiser is given; `peak` is the learning rate at the top of the cycle."""

    params: list[nn.Parameter]
    peak: float
    weight_decay: float


class Lesson(Protocol):
    """What is trained, and on what; a step's losses are decided by the step, its count of images, and the weights."""

    @property
    def module(self) -> nn.Module: ...

    def losses(self, step: int, count: int) -> dict[str, Tensor]: ...


def group_parameters(module: nn.Module, recipe: Recipe) -> list[ParameterGroup]:
    """What is trained of a module: pretrained blocks move slowly, what is new fast.

    Norms and biases are not decayed: pulling a norm's scale to zero switches channels off.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            groups.setdefault((name.startswith("backbone."), weight.ndim > 1), []).append(weight)
    return [
        {
            "params": weights,
            "peak": recipe.backbone_rate if is_pretrained else recipe.learning_rate,
            "weight_decay": recipe.weight_decay if is_decayed else 0.0,
        }
        for (is_pretrained, is_decayed), weights in groups.items()
    ]


def schedule_rate(step: int, steps: int, warmup_fraction: float) -> float:
    """One cycle, as a fraction of the peak: linear from 0.04 to 1, then a half cosine to 0.001."""
    warmup = max(1, round(steps * warmup_fraction))
    if step < warmup:
        return 0.04 + 0.96 * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.001 + 0.999 * (1 + math.cos(math.pi * done)) / 2


class Learner:
    """Everything the loop carries from step to step, and whose it is."""

    def __init__(self, lesson: Lesson, recipe: Recipe, fingerprint: str) -> None:
        self._weights = {name: weight for name, weight in lesson.module.named_parameters() if weight.requires_grad}
        self.average = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self.batch_images = recipe.batch_images
        self.is_calmed = False
        self._lesson = lesson
        self._recipe = recipe
        self._fingerprint = fingerprint
        groups = cast("list[dict[str, Any]]", group_parameters(lesson.module, recipe))
        self._optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)

    def learn(self, step: int) -> dict[str, float]:
        """One step downhill; the losses by name. Raises NonFiniteLoss before anything changes, and OutOfMemory."""
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            try:
                named = self._compute_gradients(step)
                break
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if self.batch_images == 1:
                    raise OutOfMemory("one image of this size does not fit into memory") from error
                self.batch_images //= 2
        rate = schedule_rate(step, self._recipe.steps, self._recipe.warmup_fraction)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * rate * (CALMER if self.is_calmed else 1.0)
        torch.nn.utils.clip_grad_norm_(self._weights.values(), self._recipe.clip_norm)
        self._optimizer.step()
        self._average(step)
        return named

    def _compute_gradients(self, step: int) -> dict[str, float]:
        losses = self._lesson.losses(step, self.batch_images)
        named = {name: float(loss.detach()) for name, loss in losses.items()}
        if not all(math.isfinite(value) for value in named.values()):
            raise NonFiniteLoss(step, named)
        sum(losses.values(), start=torch.zeros(())).backward()  # type: ignore[no-untyped-call]  # torch's own
        return named

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
        for name, weight in self._weights.items():
            self.average[name].lerp_(weight, 1 - decay)

    def pack(self, step: int) -> bytes:
        tensors = {
            "step": torch.tensor(step),
            "calmed": torch.tensor(self.is_calmed),
            "batch_images": torch.tensor(self.batch_images),
            "fingerprint": torch.frombuffer(bytearray(self._fingerprint.encode()), dtype=torch.uint8),
        }
        for name, weight in self._weights.items():
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
            self.batch_images = int(stored["batch_images"])
            with torch.no_grad():
                for name, weight in self._weights.items():
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


def _is_out_of_memory(error: BaseException) -> bool:
    """torch says it of CUDA with a class of its own, of a CPU in words."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "not enough memory" in str(error)
