"""A model that is asked often gets a session in which its weights are constants: the same answers, sooner."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fleet.domain.detectors import SETTLES, Graphs, OwnPart
from fleet.domain.fixed_graphs import _varint, fix_weights
from tests.heads import (
    BACKBONE,
    Artifacts,
    feature_graph,
    head_graph,
    head_graphs,
    make_artifacts,
    restored,
    tuned_head_graph,
)
from training.vision.sessions import FeatureSession, HeadSession, load_head_graph, network_size
from training.vision.weights import Floats

SIZE = (90, 160)


@pytest.fixture
def weights(graphs: Path, artifacts: Artifacts) -> dict[str, Floats]:
    return restored(artifacts)


def features_for(graphs: Path, name: str) -> dict[str, Floats]:
    """What a head graph takes of a picture."""
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    session = FeatureSession((graphs / feature_graph(graphs, name)).read_bytes())
    return session.extract(pixels, network_size(*SIZE, 192))


@pytest.fixture
def features(graphs: Path) -> dict[str, Floats]:
    return features_for(graphs, head_graph(graphs))


@pytest.mark.parametrize("which", range(4))  # of two recipes, each with two finest levels
def test_fixed_weights_give_the_same_answer(which: int, graphs: Path) -> None:
    """In each of the graphs that are shared, with any number of classes."""
    name = head_graphs(graphs)[which]
    own = restored(make_artifacts(graphs, classes=5, seed=4, name=name))
    features, graph = features_for(graphs, name), load_head_graph(graphs, name)
    shared = HeadSession(graph).detect(features, SIZE, own)
    fixed = HeadSession(fix_weights(graph, own)).detect(features, SIZE, {})

    assert len(shared.scores) > 10
    np.testing.assert_allclose(fixed.scores, shared.scores, atol=1e-6)
    np.testing.assert_allclose(fixed.boxes, shared.boxes, atol=1e-3)
    assert fixed.classes.tolist() == shared.classes.tolist() == [4] * len(shared.classes)


def test_fixed_weights_are_no_inputs_any_more(graphs: Path, weights: dict[str, Floats]) -> None:
    session = HeadSession(fix_weights(load_head_graph(graphs, head_graph(graphs)), weights))._session
    assert {given.name for given in session.get_inputs()} <= {"c8", "c16", "c32", "image_size"}
    assert session.get_overridable_initializers() == []  # constants, so that they are laid out beforehand


def test_the_graph_that_is_shared_stays_as_it_is(graphs: Path, weights: dict[str, Floats]) -> None:
    graph = load_head_graph(graphs, head_graph(graphs))
    assert fix_weights(graph, weights).startswith(graph)
    assert len(HeadSession(graph)._session.get_inputs()) > len(weights)


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (1 << 21, b"\x80\x80\x80\x01")],
)
def test_varints(number: int, written: bytes) -> None:
    assert _varint(number) == written


def test_a_model_settles_when_it_is_asked_again_and_again(graphs: Path, weights: dict[str, Floats]) -> None:
    opened, own = Graphs(graphs, threads=1), OwnPart(weights, head_graph(graphs), f"{BACKBONE}.onnx")
    given = [own.heads(opened) for _ in range(SETTLES + 2)]
    shared = opened.head(head_graph(graphs))
    assert [session is shared for session, _ in given] == [True] * (SETTLES - 1) + [False] * 3
    assert [len(left) for _, left in given] == [len(weights)] * (SETTLES - 1) + [0] * 3
    assert len({id(session) for session, _ in given[SETTLES - 1 :]}) == 1


def test_it_settles_once_however_many_ask(graphs: Path, weights: dict[str, Floats]) -> None:
    made, slow = [], threading.Event()

    class Slow(Graphs):
        def fixed_head(self, name: str, weights: dict[str, Floats]) -> HeadSession:
            made.append(name)
            assert slow.wait(10)
            return super().fixed_head(name, weights)

    opened, own = Slow(graphs, threads=1), OwnPart(weights, head_graph(graphs), f"{BACKBONE}.onnx")
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(own.heads, opened) for _ in range(20)]
        while sum(one.done() for one in asked) < 19:  # the others do not wait for it
            threading.Event().wait(0.01)
        slow.set()
        assert len([one for one in asked if not one.result(10)[1]]) == 1
    assert len(made) == 1


def test_what_it_will_take_is_counted_from_the_start(graphs: Path, weights: dict[str, Floats]) -> None:
    own = OwnPart(weights, head_graph(graphs), f"{BACKBONE}.onnx")
    before = own.size
    for _ in range(SETTLES):
        own.heads(Graphs(graphs, threads=1))
    assert own.size == before == 4 * sum(weight.nbytes for weight in weights.values())


def test_a_model_that_tunes_the_backbone_does_not_copy_it(graphs: Path) -> None:
    name = tuned_head_graph(graphs)
    own = OwnPart(restored(make_artifacts(graphs, name=name)), name, feature_graph(graphs, name))
    opened = Graphs(graphs, threads=1)
    assert opened.can_fix(head_graph(graphs))
    assert not opened.can_fix(name)
    sessions = {id(own.heads(opened)[0]) for _ in range(SETTLES + 2)}
    assert sessions == {id(opened.head(name))}
