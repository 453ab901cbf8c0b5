from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.vision.checkpoints import Checkpoint, CheckpointMismatch, FolderCheckpoints
from training.vision.graph import head_spec
from training.vision.learner import OutOfMemory, schedule_rate
from training.vision.losses import NonFiniteLoss
from training.vision.recipes import FAST, Recipe, UnknownRecipe, find_recipe
from training.vision.train import (
    FeatureLesson,
    Stopped,
    TrainView,
    build_detector,
    choose_batch,
    learn_batch,
    match_anchors,
    train_lesson,
)

CHANNELS = (4, 6, 8)
SIZE = (64, 64)
FAST_8 = replace(FAST, finest_stride=8)


def make_view(image: int, box: list[float] | None = None, size: tuple[int, int] = SIZE) -> TrainView:
    rng = np.random.default_rng(image)
    features = [
        rng.normal(size=(channels, size[0] // stride, size[1] // stride)).astype(np.float16)
        for channels, stride in zip(CHANNELS, (8, 16, 32), strict=True)
    ]
    boxes = np.array([box] if box else [], np.float32).reshape(-1, 4)
    matched = match_anchors(boxes, size, FAST_8)
    return TrainView(image, size, boxes, np.zeros(len(boxes), np.int64), matched, lambda: features)


VIEWS = [make_view(0, [8, 8, 40, 40]), make_view(1, [20, 30, 60, 60]), make_view(2)]


def train(recipe: Recipe, **kwargs: object) -> dict[str, np.ndarray]:
    given = {"views": VIEWS, "classes": 1, "seed": 3, "fingerprint": "f", **kwargs}
    seed, views = given.pop("seed"), given.pop("views")
    module = build_detector(head_spec(recipe), CHANNELS, given.pop("classes"), seed)
    average = train_lesson(FeatureLesson(module, views, recipe, seed), recipe=recipe, **given)
    return {name: weight.numpy() for name, weight in average.items()}


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_equal_inputs_give_equal_bytes_and_another_seed_does_not(tiny: Recipe) -> None:
    first = train(tiny)
    assert_same(first, train(tiny))
    other = train(tiny, seed=4)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


@pytest.mark.parametrize("stop_at", [1, 4])
def test_windows_resume_bit_for_bit_too(tiny: Recipe, tmp_path: Path, stop_at: int) -> None:
    views = [make_view(number, [20, 20, 60, 70], size=(128, 192)) for number in range(3)]
    recipe, seen = replace(tiny, window=64), []
    checkpoint = Checkpoint(FolderCheckpoints(tmp_path), "run")
    with pytest.raises(Stopped):
        train(recipe, views=views, checkpoint=checkpoint, on_progress=lambda step, *_: seen.append(step),
              should_stop=lambda: len(seen) == stop_at)  # fmt: skip
    assert_same(train(recipe, views=views, checkpoint=checkpoint), train(recipe, views=views))
    assert any(
        a.tobytes() != b.tobytes()
        for a, b in zip(train(recipe, views=views).values(), train(tiny, views=views).values(), strict=True)
    )


def test_training_does_not_touch_the_global_generator(tiny: Recipe) -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    train(tiny)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("stop_at", [0, 1, 3, 5])
def test_a_stopped_run_resumes_bit_for_bit(tiny: Recipe, tmp_path: Path, stop_at: int) -> None:
    seen: list[int] = []
    checkpoint = Checkpoint(FolderCheckpoints(tmp_path), "run")
    with pytest.raises(Stopped) as caught:
        train(
            tiny, checkpoint=checkpoint, on_progress=lambda step, total, losses: seen.append(step),
            should_stop=lambda: len(seen) == stop_at,
        )  # fmt: skip
    assert caught.value.step == stop_at
    resumed = train(tiny, checkpoint=checkpoint, on_progress=lambda step, total, losses: seen.append(step))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert_same(resumed, train(tiny))


def test_a_killed_run_goes_on_from_its_last_checkpoint(tiny: Recipe, tmp_path: Path) -> None:
    checkpoint, seen = Checkpoint(FolderCheckpoints(tmp_path), "run"), []

    def die(step: int, total: int, losses: dict[str, float]) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny, checkpoint=checkpoint, on_progress=die)
    # Checkpoints are written every two steps: the fifth is done again.
    resumed = train(tiny, checkpoint=checkpoint, on_progress=lambda step, total, losses: seen.append(step))
    assert seen == [5, 6]
    assert_same(resumed, train(tiny))


def test_a_finished_run_is_not_repeated(tiny: Recipe, tmp_path: Path) -> None:
    checkpoint, seen = Checkpoint(FolderCheckpoints(tmp_path), "run"), []
    first = train(tiny, checkpoint=checkpoint)
    again = train(tiny, checkpoint=checkpoint, on_progress=lambda *report: seen.append(report))
    assert seen == []
    assert_same(first, again)


def test_another_runs_checkpoint_is_refused(tiny: Recipe, tmp_path: Path) -> None:
    checkpoint = Checkpoint(FolderCheckpoints(tmp_path), "run")
    train(tiny, checkpoint=checkpoint)
    with pytest.raises(CheckpointMismatch, match="belongs to another run"):
        train(tiny, checkpoint=checkpoint, fingerprint="g")
    assert_same(train(tiny, checkpoint=checkpoint.renewed()), train(tiny))
    checkpoint.save(1, b"no safetensors")
    with pytest.raises(CheckpointMismatch, match="cannot be read"):
        train(tiny, checkpoint=checkpoint)


def test_progress_names_the_losses(tiny: Recipe) -> None:
    reports: list[tuple[int, int, dict[str, float]]] = []
    train(tiny, on_progress=lambda step, total, losses: reports.append((step, total, losses)))
    assert [(step, total) for step, total, _ in reports] == [(step, 6) for step in range(1, 7)]
    assert {tuple(losses) for _, _, losses in reports} == {("classification", "box")}


class Diverging:
    """Stands for `learn_batch`; the box loss of one step is not finite the first times that it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, at: int, times: int) -> None:
        self.asked: list[int] = []
        self._at, self._times = at, times
        monkeypatch.setattr("training.vision.train.learn_batch", self)

    def __call__(self, *given: Any, step: int, **named: Any) -> dict[str, torch.Tensor]:
        self.asked.append(step)
        losses = learn_batch(*given, step=step, **named)
        fails = step == self._at and self.asked.count(step) <= self._times
        return losses | {"box": losses["box"] * float("nan")} if fails else losses


def test_after_a_loss_that_is_not_finite_it_goes_back_once_and_on_more_slowly(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = replace(tiny, checkpoint_steps=3)
    usual = train(often)
    diverging = Diverging(monkeypatch, at=4, times=1)
    calmed = train(often)
    assert diverging.asked == [0, 1, 2, 3, 4, 3, 4, 5]
    assert all(np.isfinite(weight).all() for weight in calmed.values())
    assert any(calmed[name].tobytes() != usual[name].tobytes() for name in usual)

    diverging = Diverging(monkeypatch, at=4, times=2)
    with pytest.raises(NonFiniteLoss, match="box = nan") as caught:
        train(often)
    assert (caught.value.step, diverging.asked) == (4, [0, 1, 2, 3, 4, 3, 4])


def test_a_calmed_training_resumes_bit_for_bit(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Diverging(monkeypatch, at=2, times=1)
    whole = train(tiny)
    diverging = Diverging(monkeypatch, at=2, times=1)
    checkpoint = Checkpoint(FolderCheckpoints(tmp_path), "run")
    with pytest.raises(Stopped):
        train(tiny, checkpoint=checkpoint, should_stop=lambda: diverging.asked.count(3) == 1)
    assert_same(train(tiny, checkpoint=checkpoint), whole)


def test_a_loss_that_is_not_finite_is_raised_with_its_step(tiny: Recipe) -> None:
    with pytest.raises(NonFiniteLoss, match="box = inf") as caught:
        train(replace(tiny, box_weight=float("inf")))
    assert caught.value.step == 0
    assert caught.value.parts["box"] == float("inf")


def test_a_tiny_model_learns_its_views(tiny: Recipe) -> None:
    totals: list[float] = []
    recipe = replace(tiny, steps=60, batch_images=3, learning_rate=0.01)
    train(recipe, on_progress=lambda step, total, losses: totals.append(sum(losses.values())))
    assert totals[-1] < 0.35 * totals[0]


def test_targets_say_class_and_box_of_the_positives() -> None:
    labels, boxes = VIEWS[0].targets()
    # 8..40 is the anchor of side 32 around 24, 24: rows and columns 2 and 3 of stride 8 share its centre.
    assert torch.nonzero(labels >= 0).flatten().tolist() == [18, 19, 26, 27]
    assert boxes[18].tolist() == [8, 8, 40, 40]
    assert (VIEWS[2].targets()[0] == -1).all()


def test_a_batch_is_of_one_size_and_different_images() -> None:
    views = [*VIEWS, make_view(0, [8, 8, 40, 40]), make_view(5, size=(64, 128))]
    for step in range(20):
        batch = choose_batch(views, 2, seed=1, step=step)
        assert len({views[index].size for index in batch}) == 1
        if views[batch[0]].size == SIZE:
            assert len({views[index].image for index in batch}) == 2
    assert choose_batch(views, 2, seed=1, step=7) == choose_batch(views, 2, seed=1, step=7)


def test_the_rate_rises_then_falls() -> None:
    rates = [schedule_rate(step, 100, 0.1) for step in (0, 5, 10, 55, 100)]
    # 0.04; half way up 0.04 + 0.96/2; the peak; half way down (1 + 0.001)/2; the floor.
    assert rates == pytest.approx([0.04, 0.52, 1.0, 0.5005, 0.001])


def test_recipes_are_found_by_name_and_say_what_they_lack() -> None:
    assert find_recipe("fast") == FAST
    assert find_recipe("fast", steps=7).steps == 7
    with pytest.raises(UnknownRecipe, match="there are auto, fast, full"):
        find_recipe("slow")
    with pytest.raises(UnknownRecipe, match="warmth"):
        find_recipe("fast", warmth=7)


class Cramped:
    """Stands for `learn_batch`; memory is enough for `room` views at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, room: int) -> None:
        self.sizes: list[int] = []
        self._room = room
        monkeypatch.setattr("training.vision.train.learn_batch", self)

    def __call__(self, detector: Any, batch: list[TrainView], *given: Any, **named: Any) -> dict[str, torch.Tensor]:
        self.sizes.append(len(batch))
        if len(batch) > self._room:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")
        return learn_batch(detector, batch, *given, **named)


def test_where_memory_ends_the_batch_is_halved_for_good(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cramped = Cramped(monkeypatch, room=1)
    whole = train(replace(tiny, batch_images=3))
    assert cramped.sizes == [3, 1, 1, 1, 1, 1, 1]

    # What goes on from a checkpoint goes on with the smaller batch, wherever that is.
    checkpoint, seen = Checkpoint(FolderCheckpoints(tmp_path), "run"), []
    with pytest.raises(Stopped):
        train(replace(tiny, batch_images=3), checkpoint=checkpoint, on_progress=lambda *report: seen.append(report),
              should_stop=lambda: len(seen) == 3)  # fmt: skip
    roomy = Cramped(monkeypatch, room=8)
    assert_same(train(replace(tiny, batch_images=3), checkpoint=checkpoint), whole)
    assert roomy.sizes == [1, 1, 1]


def test_an_image_that_does_not_fit_at_all_is_said_so(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    Cramped(monkeypatch, room=0)
    with pytest.raises(OutOfMemory, match="one image"):
        train(tiny)


def test_other_errors_are_not_taken_for_lack_of_memory(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("training.vision.train.learn_batch", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(tiny)
