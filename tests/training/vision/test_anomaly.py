"""Subspaces of good places, and thresholds whose false alarms can be stated."""

from collections.abc import Sequence

import numpy as np
import pytest

from training.vision.anomaly import choose_threshold, train_anomaly
from training.vision.image_features import Description, Load
from training.vision.image_graphs import CELL_BASIS
from training.vision.image_recipes import find_image_recipe
from training.vision.subspaces import count_components, fit_subspace, measure_moments

WIDTH = 12


def make_cells(rng: np.random.Generator, count: int, *, strange: bool = False) -> np.ndarray:
    """Cells of two directions, with little noise in the others; a strange one has its strength in another."""
    cells = rng.normal(size=(WIDTH, count)) * 0.1
    cells[:2] += rng.normal(size=(2, count)) * 5
    if strange:
        cells[7, 0] += 8
    return cells.astype(np.float16)


def load_of(cells: np.ndarray) -> Load:
    return lambda: Description(np.zeros(4, np.float16), cells)


def make_loads(count: int) -> Sequence[Load]:
    return [load_of(make_cells(np.random.default_rng(number), 30)) for number in range(count)]


def test_moments_are_those_of_all_cells_however_they_come() -> None:
    rng = np.random.default_rng(0)
    images = [make_cells(rng, count) for count in (3, 5000, 1, 2000)]
    together = np.concatenate(images, axis=1).astype(float)
    moments = measure_moments(images, WIDTH)
    assert moments.count == 7004
    np.testing.assert_allclose(moments.total, together.sum(axis=1), rtol=1e-5, atol=0.05)
    np.testing.assert_allclose(moments.products, together @ together.T, rtol=1e-5, atol=0.5)
    part = measure_moments(images[:2], WIDTH)
    np.testing.assert_allclose((moments - part).total, measure_moments(images[2:], WIDTH).total, atol=1e-3)
    assert measure_moments([], WIDTH).count == 0


def test_a_subspace_is_what_numpy_finds() -> None:
    cells = make_cells(np.random.default_rng(1), 400).astype(float)
    cells[3] += 20  # the mean is no direction
    subspace = fit_subspace(measure_moments([cells], WIDTH), 3)
    deviation = cells.std(axis=1)
    scale = deviation + 0.05 * np.sort(deviation)[5] + 1e-3
    x = (cells - cells.mean(axis=1, keepdims=True)) / scale[:, None]
    directions = np.linalg.svd(x)[0][:, :3]
    outside = x - directions @ (directions.T @ x)
    found = subspace.distances(cells, relative=False)
    np.testing.assert_allclose(found, np.linalg.norm(outside, axis=0), rtol=0.01)
    np.testing.assert_allclose(subspace.distances(cells, relative=True), found / np.linalg.norm(x, axis=0), rtol=0.01)
    # What is stored in half precision is what was measured with.
    for weight in subspace.weights().values():
        assert (weight.astype(np.float16) == weight).all()


def test_components_need_cells() -> None:
    assert [count_components(cells, 256, 8) for cells in (1, 80, 10_000)] == [1, 10, 256]


def test_a_strange_place_is_above_the_threshold() -> None:
    recipe = find_image_recipe("ANOMALY", "fast", components=2)
    folds = np.arange(40) % 5
    steps: list[int] = []
    weights, threshold = train_anomaly(make_loads(40), folds, recipe, on_step=lambda: steps.append(1))
    assert weights[CELL_BASIS].shape == (WIDTH, 2)
    assert len(steps) == 2 * 5
    assert 0 < threshold.value < 1
    assert threshold.false_alarms == 0.05
    again, same = train_anomaly(make_loads(40), folds, recipe)
    assert same == threshold
    assert all((again[name] == weight).all() for name, weight in weights.items())


def test_what_a_step_raises_ends_the_training() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_anomaly(make_loads(6), np.arange(6) % 2, find_image_recipe("ANOMALY", "fast"), on_step=stop)


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [(19, 0.05, 19), (20, 0.05, 20), (39, 0.05, 38), (40, 0.05, 39), (99, 0.05, 95), (9, 0.1, 9), (100, 0.01, 100)],
)
def test_the_threshold_is_just_above_a_rank(count: int, share: float, rank: int) -> None:
    scores = np.random.default_rng(count).permutation(np.arange(1, count + 1)) / 100
    threshold = choose_threshold(scores, share)
    # ceil((n + 1) (1 - share)), by hand; a score as high as a good image's own is no alarm.
    assert threshold.false_alarms == share
    assert np.float32(rank / 100) < threshold.value <= rank / 100 + 1e-6


def test_of_few_images_less_is_certain_and_a_tail_is_added() -> None:
    scores = np.array([0.10, 0.11, 0.12, 0.13])
    threshold = choose_threshold(scores, 0.05)
    assert threshold.false_alarms == pytest.approx(1 / 5)
    # Student's t of 3 degrees of freedom leaves 5 % above 2.353; the expansion gives 2.311.
    odds = np.log(scores**2) - np.log(1 - scores**2)
    bound = np.exp(odds.mean() + 2.3106 * odds.std(ddof=1) * np.sqrt(1.25))
    assert threshold.value == pytest.approx(np.sqrt(bound / (1 + bound)), rel=1e-4)
    assert threshold.value > 0.13
    assert choose_threshold(np.array([0.5, 0.9, 0.999, 0.99]), 0.05).value < 1, "no image is stranger than wholly"
    # One that lies apart is itself the least threshold: no good image that is known is an alarm.
    apart = choose_threshold(np.array([0.1] * 9 + [0.5]), 0.05)
    assert apart.value == pytest.approx(0.5)
    assert apart.value > 0.5
    assert apart.false_alarms == pytest.approx(1 / 11)


def test_stated_false_alarms_hold_on_new_images() -> None:
    """A thousand draws of few scores, and of as many new ones: the mean rate is what was stated, or less."""
    rng = np.random.default_rng(0)
    for count in (8, 19, 60):
        rates, stated = [], 0.0
        for _ in range(1000):
            threshold = choose_threshold(rng.beta(2, 5, size=count), 0.05)
            rates.append((rng.beta(2, 5, size=200) >= threshold.value).mean())
            stated = threshold.false_alarms
        assert np.mean(rates) < stated + 0.005
