"""Penalised regression in the span of the images, its calibration, and the second opinion of surprise."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.vision.classification import (
    BIAS_PENALTY,
    PENALTIES,
    Lesson,
    choose_penalty,
    find_span,
    fit_linear,
    measure_surprises,
    stack,
    train_classifier,
)
from training.vision.image_features import Description, Load
from training.vision.image_graphs import CELL_BASIS, POOL_BIAS, POOL_MEAN, POOL_WEIGHT, SURPRISE_WEIGHT
from training.vision.image_recipes import find_image_recipe
from training.vision.subspaces import Subspace, mean_hottest

RECIPE = find_image_recipe("CLASSIFICATION", "fast", components=3)


def load_of(pooled: np.ndarray, cells: np.ndarray) -> Load:
    return lambda: Description(pooled.astype(np.float16), cells.astype(np.float16))


def make_lesson(count: int, *, told_by: str, outputs: int = 2, seed: int = 0) -> Lesson:
    """Images whose output shows in one pooled feature of 40, or in one cell of 20; `outputs` - 1 is the reference."""
    rng = np.random.default_rng(seed)
    truths, loads = np.arange(count) % outputs, []
    for truth in truths:
        pooled, cells = rng.normal(size=40), rng.normal(size=(12, 20)) * np.array([5] * 3 + [0.3] * 9)[:, None]
        if told_by == "pooled":
            pooled[int(truth)] += 4
        elif truth != outputs - 1:
            cells[6, 0] += 8
        loads.append(load_of(pooled, cells))
    folds = np.arange(count) // outputs % 5
    return Lesson(loads, truths, folds, outputs, outputs - 1)


def judge(lesson: Lesson, weights: dict[str, np.ndarray]) -> np.ndarray:
    """What the classification graph computes."""
    subspace = Subspace(weights["cells.mean"], weights["cells.scale"], weights[CELL_BASIS])
    rows = []
    for load in lesson.loads:
        surprise = mean_hottest(subspace.distances(load().cells, relative=False), 3)
        logits = (load().pooled - weights[POOL_MEAN]) @ weights[POOL_WEIGHT] + weights[POOL_BIAS]
        rows.append(logits + surprise * weights[SURPRISE_WEIGHT])
    return torch.softmax(torch.tensor(np.array(rows)), dim=1).numpy()


def test_a_fit_is_where_its_gradient_vanishes() -> None:
    rng = np.random.default_rng(2)
    rows, truth = torch.tensor(rng.normal(size=(50, 6))), torch.tensor(rng.integers(0, 3, 50))
    weight, bias = fit_linear(rows, functional.one_hot(truth, 3), 0.1)
    errors = torch.softmax(rows @ weight + bias, dim=1) - functional.one_hot(truth, 3)
    assert (rows.T @ errors / 50 + 0.1 * weight).abs().max() < 1e-5
    assert (errors.mean(dim=0) + BIAS_PENALTY * bias).abs().max() < 1e-5


def test_the_span_of_the_images_loses_nothing() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(30, 200)).astype(np.float32)
    rows, back = find_span(z, 0)
    assert rows.shape == (30, 30)
    np.testing.assert_allclose(rows @ back.T, z, atol=1e-3)
    targets = functional.one_hot(torch.tensor(rng.integers(0, 2, 30)), 2)
    inside, bias = fit_linear(rows, targets, 0.5)
    whole, its = fit_linear(torch.tensor(z, dtype=torch.float64), targets, 0.5)
    np.testing.assert_allclose(back @ inside, whole, atol=1e-4)
    np.testing.assert_allclose(bias, its, atol=1e-4)


def test_of_many_images_a_sample_spans_what_is_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.vision.classification.MOST_ROWS", 20)
    monkeypatch.setattr("training.vision.classification.MOST_DIRECTIONS", 15)
    rows, back = find_span(np.random.default_rng(4).normal(size=(60, 200)).astype(np.float32), 0)
    assert (rows.shape, back.shape) == ((60, 15), (200, 15))
    np.testing.assert_allclose(back.T @ back, np.eye(15), atol=1e-4)


def test_the_penalty_is_what_suits_other_folds() -> None:
    rng = np.random.default_rng(5)
    lesson = make_lesson(60, told_by="pooled")
    rows = torch.tensor(rng.normal(size=(60, 30)))
    noise, logits = choose_penalty(rows, lesson)
    assert noise == max(PENALTIES), "of noise nothing is to be learnt"
    assert logits.shape == (60, 2)
    rows[:, 0] += torch.tensor(lesson.outputs * 6.0)
    clear, logits = choose_penalty(rows, lesson)
    assert clear < noise
    assert (logits.argmax(axis=1) == lesson.outputs).mean() > 0.9


def test_logits_of_a_fold_do_not_know_its_images() -> None:
    """An image that alone is of its output cannot be told out of fold."""
    lesson = make_lesson(20, told_by="pooled")
    outputs = np.zeros(20, np.int64)
    outputs[7] = 1
    rows = torch.eye(20, dtype=torch.float64) * 10
    _, logits = choose_penalty(rows, replace(lesson, outputs=outputs))
    assert logits[7, 0] > logits[7, 1]


def test_stacking_sharpens_turns_and_shifts() -> None:
    rng = np.random.default_rng(6)
    outputs = (rng.random(2000) < 0.5).astype(np.int64)
    # Logits a third of what they should be: half of a difference of 2, of one standard deviation, is 2 · (y - 0.5).
    evidence = rng.normal(size=2000) + (2 * outputs - 1)
    logits = np.stack([-evidence, evidence], axis=1) / 3
    sharpness, turn, shift = stack(logits, np.zeros(2000), outputs)
    assert sharpness == pytest.approx(3, rel=0.1)
    assert abs(shift).max() < 0.15
    assert abs(turn).max() < 1e-6
    sharpness, turn, _ = stack(np.zeros((2000, 2)), evidence, outputs)
    assert turn == pytest.approx([-1, 1], rel=0.1)
    # Of four images little is believed, however clear they are.
    sharpness, turn, _ = stack(np.array([[1.0, -1], [-1, 1]] * 2), np.zeros(4), np.array([0, 1, 0, 1]))
    assert 1 < sharpness < 4


@pytest.mark.parametrize("told_by", ["pooled", "cells"])
def test_what_is_learnt_tells_new_images(told_by: str) -> None:
    weights = train_classifier(make_lesson(100, told_by=told_by), RECIPE, seed=0)
    others = make_lesson(100, told_by=told_by, seed=9)
    probabilities = judge(others, weights)
    assert (probabilities.argmax(axis=1) == others.outputs).mean() > 0.9
    again = train_classifier(make_lesson(100, told_by=told_by), RECIPE, seed=0)
    assert all((again[name] == weight).all() for name, weight in weights.items())


def test_three_outputs_one_of_which_has_no_image() -> None:
    lesson = make_lesson(60, told_by="pooled")
    weights = train_classifier(Lesson(lesson.loads, lesson.outputs, lesson.folds, 3, 1), RECIPE, seed=0)
    assert weights[POOL_WEIGHT].shape == (40, 3)
    probabilities = judge(lesson, weights)
    assert np.isfinite(probabilities).all()
    assert probabilities[:, 2].max() < 0.2


def test_few_good_images_are_no_measure() -> None:
    lesson = make_lesson(8, told_by="cells")
    surprises, subspace = measure_surprises(lesson, RECIPE, lambda: None)
    assert not surprises.any()
    assert subspace.basis.shape == (12, 1)
    weights = train_classifier(lesson, RECIPE, seed=0)
    assert not weights[SURPRISE_WEIGHT].any()


def test_surprise_is_measured_by_other_folds() -> None:
    lesson = make_lesson(40, told_by="cells")
    surprises, _ = measure_surprises(lesson, RECIPE, lambda: None)
    strange, good = surprises[lesson.outputs == 0], surprises[lesson.outputs == 1]
    assert strange.min() > good.max()
    # A fold whose images are the only ones of their kind is strange to the others.
    cells = np.zeros((12, 20))
    cells[9] = 5
    odd = replace(lesson, loads=[load_of(np.zeros(40), cells) if fold == 2 else load
                                 for load, fold in zip(lesson.loads, lesson.folds, strict=True)])  # fmt: skip
    surprises, _ = measure_surprises(odd, RECIPE, lambda: None)
    assert surprises[lesson.folds == 2].min() > 2 * good.max()
