"""The nodes compute what numpy does; a merged graph answers as the shared ones do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.training.vision.test_graph import photograph
from training.vision.backbones import Backbone
from training.vision.few_shot import Workbench
from training.vision.image_graphs import (
    CELL_BASIS,
    CELL_MEAN,
    CELL_SCALE,
    POOL_BIAS,
    POOL_MEAN,
    POOL_WEIGHT,
    SPECS,
    SURPRISE_WEIGHT,
    ImageSpec,
    build_description_graph,
    build_image_head_graph,
    merge_image_graphs,
)
from training.vision.image_recipes import ANOMALY, CLASSIFICATION
from training.vision.image_sessions import ImageHeadSession, PairedJudge
from training.vision.sessions import load_head_graph, open_session
from training.vision.subspaces import Subspace, mean_hottest
from training.vision.weights import Floats

TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def features() -> dict[str, Floats]:
    """Of 4 × 6 cells: 24, of which a twentieth is one; the finer stride has 96, of which it is four."""
    rng = np.random.default_rng(0)
    shapes = {"c8": (1, 80, 16, 24), "c16": (1, 576, 8, 12), "c32": (1, 1088, 4, 6)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def make_weights(kind: str, *, classes: int = 3, components: int = 5) -> dict[str, Floats]:
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(1664, components)))[0]
    weights = {CELL_MEAN: rng.normal(size=1664), CELL_SCALE: rng.uniform(0.5, 2, 1664), CELL_BASIS: basis}
    if kind == CLASSIFICATION:
        weights |= {POOL_MEAN: rng.normal(size=6656), POOL_WEIGHT: rng.normal(size=(6656, classes)) * 0.01}
        weights |= {POOL_BIAS: rng.normal(size=classes), SURPRISE_WEIGHT: rng.normal(size=classes) * 0.1}
    return {name: weight.astype(np.float32) for name, weight in weights.items()}


def pool(x: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """(C, n) -> (4 C,)."""
    ordered, count = np.sort(x, axis=1), max(1, x.shape[1] // 20)
    return np.concatenate([x.mean(1), x.std(1), ordered[:, -count:].mean(1), ordered[:, :count].mean(1)])


def describe(features: dict[str, Floats]) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    fine, coarse = features["c16"][0], features["c32"][0]
    halved = fine.reshape(576, fine.shape[1] // 2, 2, fine.shape[2] // 2, 2).mean(axis=(2, 4))
    cells = np.concatenate([halved, coarse]).reshape(1664, -1)
    return np.concatenate([pool(fine.reshape(576, -1)), pool(coarse.reshape(1088, -1))]), cells


def test_a_description_is_what_its_page_says(backbone: Backbone, features: dict[str, Floats]) -> None:
    session = ImageHeadSession(build_description_graph(backbone.module).SerializeToString())
    found = session.answer(features, {})
    pooled, cells = describe(features)
    assert cells.shape == (1664, 24)
    np.testing.assert_allclose(found["pooled"], pooled, atol=TOLERANCE)
    np.testing.assert_allclose(found["cells"], cells, atol=TOLERANCE)


def test_a_single_cell_has_a_description(backbone: Backbone) -> None:
    session = ImageHeadSession(build_description_graph(backbone.module).SerializeToString())
    found = session.answer({"c16": np.ones((1, 576, 2, 2), "f4"), "c32": np.full((1, 1088, 1, 1), 3, "f4")}, {})
    assert found["pooled"].tolist() == [1] * 576 + [0] * 576 + [1] * 1152 + [3] * 1088 + [0] * 1088 + [3] * 2176


def test_a_classifier_is_a_softmax_over_pools_and_surprise(backbone: Backbone, features: dict[str, Floats]) -> None:
    session = ImageHeadSession(build_image_head_graph(SPECS[CLASSIFICATION], backbone.module).SerializeToString())
    weights = make_weights(CLASSIFICATION)
    [found] = session.answer(features, weights).values()
    pooled, cells = describe(features)
    x = (cells - weights[CELL_MEAN][:, None]) / weights[CELL_SCALE][:, None]
    outside = x - weights[CELL_BASIS] @ (weights[CELL_BASIS].T @ x)
    surprise = np.linalg.norm(outside, axis=0).max()  # of 24 cells three per cent are one
    logits = (pooled - weights[POOL_MEAN]) @ weights[POOL_WEIGHT] + weights[POOL_BIAS]
    powers = np.exp(logits + surprise * weights[SURPRISE_WEIGHT])
    np.testing.assert_allclose(found, powers / powers.sum(), atol=TOLERANCE)
    assert session.answer(features, make_weights(CLASSIFICATION, classes=7))["probabilities"].shape == (7,)


def test_an_anomaly_is_the_hottest_of_the_heat(backbone: Backbone, features: dict[str, Floats]) -> None:
    session = ImageHeadSession(build_image_head_graph(SPECS[ANOMALY], backbone.module).SerializeToString())
    weights = make_weights(ANOMALY, components=9)
    found = session.answer(features, weights)
    _, cells = describe(features)
    subspace = Subspace(weights[CELL_MEAN], weights[CELL_SCALE], weights[CELL_BASIS])
    expected = subspace.distances(cells, relative=True)
    np.testing.assert_allclose(found["heat"], expected.reshape(4, 6), atol=TOLERANCE)
    assert found["score"].shape == (1,)
    assert found["score"][0] == pytest.approx(mean_hottest(expected, 3), abs=TOLERANCE)
    assert 0 <= found["heat"].min() <= found["heat"].max() <= 1


@pytest.mark.parametrize(("cells", "counted"), [(1, 1), (49, 1), (50, 2), (100, 3), (256, 8)])
def test_three_per_cent_are_rounded(cells: int, counted: int, backbone: Backbone) -> None:
    values = np.arange(1, cells + 1, dtype=np.float32)
    assert mean_hottest(values, 3) == values[-counted:].mean()
    session = ImageHeadSession(build_image_head_graph(SPECS[ANOMALY], backbone.module).SerializeToString())
    # A basis that knows the first channel: cells differ in how much of it they have.
    features = {"c16": np.zeros((1, 576, 2, 2 * cells), "f4"), "c32": np.zeros((1, 1088, 1, cells), "f4")}
    features["c16"][:, 0] = np.repeat(values, 2)
    features["c32"][:, 0] = 10
    weights = {
        CELL_MEAN: np.zeros(1664, "f4"),
        CELL_SCALE: np.ones(1664, "f4"),
        CELL_BASIS: np.eye(1664, 1, dtype="f4"),
    }
    found = session.answer(features, weights)
    assert found["score"][0] == pytest.approx(np.sort(found["heat"].ravel())[-counted:].mean(), abs=1e-6)


@pytest.mark.parametrize("kind", [CLASSIFICATION, ANOMALY])
def test_a_merged_graph_answers_as_the_shared_ones(kind: str, backbone: Backbone, workbench: Workbench) -> None:
    weights = make_weights(kind)
    heads = ImageHeadSession(build_image_head_graph(SPECS[kind], backbone.module).SerializeToString())
    pixels = photograph(150, 230)
    apart = PairedJudge(workbench.session, heads).judge(pixels, weights, 192)
    merged = merge_image_graphs(backbone, SPECS[kind], weights, long_side=192, classes=["dent"])
    assert {prop.key: prop.value for prop in merged.metadata_props}["classes"] == '["dent"]'
    session = open_session(merged.SerializeToString())
    for output, found in zip(session.get_outputs(), session.run(None, {"image": pixels}), strict=True):
        np.testing.assert_allclose(found, apart[output.name], atol=TOLERANCE)


def test_prepared_graphs_are_found_by_their_name(weights_folder: Path, features: dict[str, Floats]) -> None:
    for kind, spec in SPECS.items():
        name = spec.file_name("efficientnet_lite0")
        assert name.startswith(f"efficientnet_lite0.heads-{kind.lower()}-")
        session = ImageHeadSession(load_head_graph(weights_folder, name))
        assert session.answer(features, make_weights(kind))
    # A graph that computes otherwise has another name.
    assert replace(ImageSpec(ANOMALY), hottest=4).file_name("b") != ImageSpec(ANOMALY).file_name("b")
