from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from training.vision.artifacts import DamagedModel, Trained, pack_model, unpack_model
from training.vision.evaluate import evaluate_model
from training.vision.examples import Annotation, Example, check_examples
from training.vision.features import settle_recipe
from training.vision.few_shot import Workbench, open_workbench, predict_images, prepare_views, train_fast
from training.vision.recipes import FAST, Recipe
from training.vision.train import Stopped

Pair = tuple[list[npt.NDArray[np.uint8]], list[Annotation]]


@pytest.fixture
def examples(pair: Pair) -> list[Example]:
    return check_examples(*pair, 2)


def train(
    examples: Sequence[Example], recipe: Recipe, workbench: Workbench, classes: Sequence[str] = ("red", "blue")
) -> Trained:
    recipe = settle_recipe(recipe, examples)
    views = [view for own in prepare_views(examples, recipe, workbench) for view in own]
    return train_fast(examples, classes, recipe, seed=0, workbench=workbench, views=views)


def test_a_tiny_model_overfits_two_images(examples: list[Example], workbench: Workbench, tiny: Recipe) -> None:
    trained = train(examples, replace(tiny, steps=60, learning_rate=0.01), workbench)
    assert evaluate_model(trained, examples, workbench=workbench).intervals.ap50.value == pytest.approx(1.0)
    found = predict_images(trained, [example.image for example in examples], workbench)
    assert [prediction.classes[0] for prediction in found] == [0, 1]


@pytest.mark.parametrize("finest", [8, 16])
def test_a_stored_model_predicts_the_same(
    examples: list[Example], workbench: Workbench, tiny: Recipe, finest: int
) -> None:
    trained = train(examples, replace(tiny, finest_stride=finest), workbench)
    files = pack_model(trained)
    stored = unpack_model(files)
    assert pack_model(stored) == files
    assert (stored.heads, stored.classes, stored.long_side) == (trained.heads, ["red", "blue"], 128)
    images = [example.image for example in examples]
    for ours, theirs in zip(*(predict_images(m, images, workbench) for m in (trained, stored)), strict=True):
        assert ours.boxes.tobytes() == theirs.boxes.tobytes()


def test_a_damaged_model_is_refused(examples: list[Example], workbench: Workbench, tiny: Recipe) -> None:
    files = pack_model(train(examples, tiny, workbench))
    with pytest.raises(DamagedModel, match="do not match"):
        unpack_model({**files, "heads.safetensors": files["heads.safetensors"][:-1] + b"x"})
    for description, reason in [(b'{"format": 9}', "format 9 is unknown"), (b"{", "cannot be read"), (b"[]", "read")]:
        with pytest.raises(DamagedModel, match=reason):
            unpack_model({**files, "model.json": description})


def test_a_full_cache_changes_nothing(
    examples: list[Example], weights_folder: Path, tiny: Recipe, tmp_path: Path
) -> None:
    models = []
    for limit in (0, 64 << 20):
        bench = open_workbench("efficientnet_lite0", weights_folder, tmp_path / str(limit), cache_bytes=limit)
        models.append(pack_model(train(examples, tiny, bench)))
    assert models[0] == models[1]


def test_one_class_and_one_image_train(examples: list[Example], workbench: Workbench, tiny: Recipe) -> None:
    trained = train(examples[:1], tiny, workbench, ["red"])
    assert len(predict_images(trained, [example.image for example in examples], workbench)) == 2


def test_images_without_boxes_and_odd_sizes_train_together(pair: Pair, workbench: Workbench, tiny: Recipe) -> None:
    images = [*pair[0], np.full((31, 301, 3), 9, np.uint8), np.full((1, 1, 3), 200, np.uint8)]
    annotations = [*pair[1], Annotation(np.array([[5, 5, 6, 6]], np.float32), np.array([1])), Annotation()]
    trained = train(check_examples(images, annotations, 2), tiny, workbench)
    assert all(np.isfinite(weight).all() for weight in trained.weights.values())


def test_stopping_is_heard_between_views(examples: list[Example], workbench: Workbench, tiny: Recipe) -> None:
    seen: list[tuple[int, int]] = []
    with pytest.raises(Stopped, match="after step 0"):
        prepare_views(
            examples, replace(tiny, views=8), workbench,
            on_features=lambda done, total: seen.append((done, total)), should_stop=lambda: len(seen) >= 3,
        )  # fmt: skip
    assert seen[:3] == [(1, 16), (2, 16), (3, 16)]
    assert len(seen) < 8


@pytest.mark.parametrize("finest", [8, 16])
def test_a_fast_model_is_stored_in_half_a_megabyte(examples: list[Example], workbench: Workbench, finest: int) -> None:
    recipe = replace(FAST, steps=1, views=1, long_side=64, finest_stride=finest)
    files = pack_model(train(examples, recipe, workbench, [str(number) for number in range(10)]))
    assert sum(len(data) for data in files.values()) <= 500_000
