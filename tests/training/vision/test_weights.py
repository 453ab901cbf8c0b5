"""What is stored of weights, and how far it is from them."""

import numpy as np

from training.vision.weights import move_weights, restore_weights, store_move, store_weights


def test_convolutions_are_stored_in_bytes_with_a_step_a_channel():
    weight = np.array([[[[1.27]], [[-0.64]]], [[[0.0]], [[0.00254]]]], np.float32)  # (2, 2, 1, 1)
    stored = store_weights({"pyramid.laterals.0.weight": weight})
    assert stored["pyramid.laterals.0.weight"].ravel().tolist() == [127, -64, 0, 127]
    np.testing.assert_allclose(stored["pyramid.laterals.0.weight.step"].ravel(), [0.01, 0.00002], rtol=1e-6)
    np.testing.assert_allclose(restore_weights(stored)["pyramid.laterals.0.weight"], weight, rtol=1e-6)


def test_biases_are_stored_as_halves():
    stored = store_weights({"class_head.output.bias": np.array([0.1, -4.6], np.float32)})
    assert stored["class_head.output.bias"].dtype == np.float16
    restored = restore_weights(stored)
    assert restored["class_head.output.bias"].dtype == np.float32
    np.testing.assert_allclose(restored["class_head.output.bias"], [0.1, -4.6], rtol=1e-3)


def test_a_move_along_few_directions_comes_back():
    rng = np.random.default_rng(0)
    moved = (rng.normal(size=(12, 2)) @ rng.normal(size=(2, 20)) * 0.01).astype(np.float32)
    stored = store_move("backbone.9.0", moved, 2)
    assert {name: weight.shape for name, weight in stored.items()} == {
        "backbone.9.0.up": (12, 2, 1, 1), "backbone.9.0.up.step": (1, 2, 1, 1),
        "backbone.9.0.down": (2, 20, 1, 1), "backbone.9.0.down.step": (2, 1, 1, 1),
    }  # fmt: skip
    assert {weight.dtype for name, weight in stored.items() if not name.endswith("step")} == {np.dtype(np.int8)}
    shared = {"backbone.9.0.weight": np.ones((12, 20, 1, 1), np.float32), "backbone.9.0.bias": np.ones(12, np.float32)}
    whole = move_weights(
        shared, restore_weights(stored | store_weights({"backbone.9.0.shift": np.ones(12, np.float32)}))
    )
    # Each factor is off by half a step at most, a 254th of its largest value.
    np.testing.assert_allclose(
        whole["backbone.9.0.weight"][:, :, 0, 0], 1 + moved, atol=0.02 * float(np.abs(moved).max())
    )
    assert whole["backbone.9.0.bias"].tolist() == [2] * 12
    assert shared["backbone.9.0.weight"].max() == 1


def test_of_many_directions_the_largest_are_kept():
    moved = np.diag([3.0, 2.0, 1.0]).astype(np.float32)
    stored = store_move("layer", moved, 1)
    whole = move_weights({"layer.weight": np.zeros((3, 3, 1, 1), np.float32)}, restore_weights(stored))
    np.testing.assert_allclose(whole["layer.weight"][:, :, 0, 0], np.diag([3.0, 0, 0]), atol=1e-5)


def test_nothing_moved_is_nothing_stored():
    stored = store_move("layer", np.zeros((3, 4), np.float32), 2)
    whole = move_weights({"layer.weight": np.ones((3, 4, 1, 1), np.float32)}, restore_weights(stored))
    assert (whole["layer.weight"] == 1).all()
