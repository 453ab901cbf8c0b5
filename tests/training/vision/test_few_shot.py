import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.training.vision.conftest import draw_image
from training.vision.artifacts import DamagedModel, load_model, save_model
from training.vision.evaluate import evaluate_model, evaluate_out_of_fold
from training.vision.examples import Annotation, NothingToLearn
from training.vision.few_shot import Workbench, open_workbench, predict_images, train_fast
from training.vision.folds import TooFewGroups
from training.vision.recipes import FAST, Recipe
from training.vision.train import Stopped

Pair = tuple[list[npt.NDArray[np.uint8]], list[Annotation]]


def test_a_tiny_model_overfits_two_images(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    recipe = replace(tiny, steps=60, learning_rate=0.01)
    trained = train_fast(*pair, ["red", "blue"], recipe, seed=0, workbench=workbench)
    intervals = evaluate_model(trained, *pair, workbench=workbench).intervals
    assert intervals.ap50.value == pytest.approx(1.0)
    best = [prediction.classes[0] for prediction in predict_images(trained, pair[0], workbench)]
    assert best == [0, 1]


def test_a_stored_model_predicts_the_same(pair: Pair, workbench: Workbench, tiny: Recipe, tmp_path: Path) -> None:
    trained = train_fast(*pair, ["red", "blue"], tiny, seed=0, workbench=workbench)
    save_model(trained, tmp_path / "model")
    stored = load_model(tmp_path / "model")
    assert (stored.recipe, stored.classes, stored.long_side) == (trained.recipe, ["red", "blue"], 128)
    for ours, theirs in zip(*(predict_images(m, pair[0], workbench) for m in (trained, stored)), strict=True):
        assert ours.boxes.tobytes() == theirs.boxes.tobytes()


def test_a_damaged_model_is_refused(pair: Pair, workbench: Workbench, tiny: Recipe, tmp_path: Path) -> None:
    save_model(train_fast(*pair, ["red", "blue"], tiny, seed=0, workbench=workbench), tmp_path)
    weights = tmp_path / "heads.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedModel, match="do not match"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(DamagedModel, match="format 9 is unknown"):
        load_model(tmp_path)


def test_a_full_cache_changes_nothing(pair: Pair, weights_folder: Path, tiny: Recipe, tmp_path: Path) -> None:
    trained = []
    for limit in (0, 64 << 20):
        bench = open_workbench("efficientnet_lite0", weights_folder, tmp_path / str(limit), cache_bytes=limit)
        trained.append(train_fast(*pair, ["red", "blue"], tiny, seed=0, workbench=bench))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*(t.weights.values() for t in trained), strict=True))


def test_one_class_and_one_image_train(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    trained = train_fast(pair[0][:1], pair[1][:1], ["red"], tiny, seed=0, workbench=workbench)
    assert len(predict_images(trained, pair[0], workbench)) == 2


def test_images_without_boxes_and_odd_sizes_train_together(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    images = [*pair[0], np.full((31, 301, 3), 9, np.uint8), np.full((1, 1, 3), 200, np.uint8)]
    annotations = [*pair[1], Annotation(np.array([[5, 5, 6, 6]], np.float32), np.array([1])), Annotation()]
    trained = train_fast(images, annotations, ["red", "blue"], tiny, seed=0, workbench=workbench)
    assert all(np.isfinite(weight).all() for weight in trained.weights.values())


def test_stopping_is_heard_between_views(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    seen: list[tuple[int, int]] = []
    with pytest.raises(Stopped, match="after step 0"):
        train_fast(
            *pair,
            ["red", "blue"],
            replace(tiny, views=4),
            seed=0,
            workbench=workbench,
            on_features=lambda done, total: seen.append((done, total)),
            should_stop=lambda: len(seen) == 3,
        )
    assert seen == [(1, 8), (2, 8), (3, 8)]


def test_a_fast_model_is_stored_in_half_a_megabyte(pair: Pair, workbench: Workbench, tmp_path: Path) -> None:
    recipe = replace(FAST, steps=1, views=1, long_side=64)
    save_model(train_fast(*pair, [str(n) for n in range(10)], recipe, seed=0, workbench=workbench), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 500_000


def test_no_box_is_said_before_anything_is_computed(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    with pytest.raises(NothingToLearn, match="mark at least one defect"):
        train_fast(pair[0], [Annotation(), Annotation()], ["red"], tiny, seed=0, workbench=workbench)
    assert workbench.cache.bytes_used == 0


def test_identical_images_train_but_cannot_be_left_out(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    images, annotations = [pair[0][0]] * 4, [pair[1][0]] * 4
    train_fast(images, annotations, ["red"], tiny, seed=0, workbench=workbench)
    with pytest.raises(TooFewGroups, match="4 images form 1 group"):
        evaluate_out_of_fold(images, annotations, ["red"], tiny, 0, workbench=workbench)


def test_every_image_is_predicted_by_a_model_that_did_not_see_it(workbench: Workbench, tiny: Recipe) -> None:
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(6):
        x, y = (int(value) for value in rng.integers(0, 60, 2))
        images.append(draw_image(number, (x, y, x + 40, y + 40), (220, 30, 30)))
        annotations.append(Annotation(np.array([[x, y, x + 40, y + 40]], np.float32), np.array([0])))
    reports: list[tuple[int, int, int, int]] = []
    evaluation = evaluate_out_of_fold(
        images, annotations, ["red"], replace(tiny, steps=40, learning_rate=0.01), 0, workbench=workbench,
        on_progress=lambda fold, folds, step, steps, losses: reports.append((fold, folds, step, steps)),
    )  # fmt: skip
    assert evaluation.folds is not None
    assert sorted(evaluation.folds) == [0, 0, 0, 1, 1, 1]
    assert reports[0] == (1, 2, 1, 40)
    assert reports[-1] == (2, 2, 40, 40)
    assert evaluation.intervals.ap50.value > 0.5


def test_an_interrupted_evaluation_goes_on_with_its_fold(
    pair: Pair, workbench: Workbench, tiny: Recipe, tmp_path: Path
) -> None:
    images, annotations = pair[0] * 1, pair[1] * 1
    seen: list[tuple[int, int]] = []

    def note(fold: int, folds: int, step: int, steps: int, losses: dict[str, float]) -> None:
        seen.append((fold, step))

    arguments = (images, annotations, ["red", "blue"], tiny, 0)
    with pytest.raises(Stopped):
        evaluate_out_of_fold(
            *arguments, workbench=workbench, on_progress=note, checkpoints=tmp_path, should_stop=lambda: len(seen) == 8
        )
    resumed = evaluate_out_of_fold(*arguments, workbench=workbench, on_progress=note, checkpoints=tmp_path)
    assert seen == [(1, step) for step in range(1, 7)] + [(2, step) for step in range(1, 7)]
    whole = evaluate_out_of_fold(*arguments, workbench=workbench)
    assert all(
        a.scores.tobytes() == b.scores.tobytes() for a, b in zip(resumed.predictions, whole.predictions, strict=True)
    )
