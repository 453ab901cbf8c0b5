"""How far a run is, over all that it computes; trainings that go side by side report from their own threads."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

VIEW_STEPS = 0.75  # what a view's features cost, in steps: 0.3 of small images, 1.2 of large ones


@dataclass(frozen=True)
class RunProgress:
    """`done` of `total` are steps, the features' share included; `losses` of the published training, while it leads."""

    done: float
    total: float
    message: str
    losses: Mapping[str, float]


OnRunProgress = Callable[[RunProgress], None]


class ProgressBoard:
    """Adds up what is reported to it. `steps` are those of each training; the first is published: its is the curve."""

    def __init__(self, on_progress: OnRunProgress | None, *, views: int, steps: Mapping[str, int]) -> None:
        self._on_progress, self._steps = on_progress, steps
        self._features = views * VIEW_STEPS
        self._total = self._features + sum(steps.values()) * 1.02  # the rest is judging
        self._reached = dict.fromkeys(steps, 0)
        self._losses: dict[str, Mapping[str, float]] = {}
        self._lock = threading.Lock()
        self._curve: dict[int, Mapping[str, float]] = {}

    @property
    def curve(self) -> list[tuple[int, Mapping[str, float]]]:
        return sorted(self._curve.items())

    def note_features(self, done: int, total: int) -> None:
        self._report(self._features * done / max(total, 1), f"Looking at the images: {done} of {total} views", {})

    def note_step(self, training: str, step: int, losses: Mapping[str, float]) -> None:
        with self._lock:
            self._reached[training] = max(step, self._reached[training])  # a training may go back, a bar may not
            self._losses[training] = losses
            published = next(iter(self._reached))
            if training == published:
                self._curve[step] = losses
            leading = self._leading()
            done = self._features + sum(self._reached.values())
            number = 1 + list(self._reached).index(leading)
            what = "Training the model" if number == 1 else f"Training fold {number - 1} of {len(self._reached) - 1}"
            # Reported under the lock: reports arrive in order.
            # The folds' losses would make one curve of four, and those of a training that has ended a line without end.
            learns = training == published or self._reached[published] < self._steps[published]
            shown = self._losses.get(published, {}) if learns else {}
            self._report(done, f"{what}: step {self._reached[leading]} of {self._steps[leading]}", shown)

    def note_judging(self) -> None:
        self._report(self._total * 0.99, "Judging the model", {})

    def note_done(self) -> None:
        self._report(self._total, "Done", {})

    def _leading(self) -> str:
        """The first training that is at work, or the last."""
        begun = [name for name, step in self._reached.items() if name in self._losses]
        unfinished = [name for name in begun if self._reached[name] < self._steps[name]]
        return (unfinished or begun)[0]

    def _report(self, done: float, message: str, losses: Mapping[str, float]) -> None:
        if self._on_progress:
            self._on_progress(RunProgress(done, self._total, message, losses))
