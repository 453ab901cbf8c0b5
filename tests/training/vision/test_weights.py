import numpy as np
import pytest

from training.vision.weights import STEP, is_difference, restore_weights, store_difference, store_heads

RNG = np.random.default_rng(0)


def test_heads_are_stored_as_fp16_and_come_back_as_float32() -> None:
    stored = store_heads({"class_head.output.bias": np.array([0.1, -4.6], np.float32)})
    assert stored["class_head.output.bias"].dtype == np.float16
    restored = restore_weights(stored, {})
    # 0.1 is 0x2e66 in fp16: 1638 / 16384.
    assert restored["class_head.output.bias"].tolist() == [
        pytest.approx(1638 / 16384),
        pytest.approx(-4.6016, abs=1e-4),
    ]
    assert restored["class_head.output.bias"].dtype == np.float32
    assert not is_difference(stored)


def test_a_difference_is_stored_in_eight_bits_a_weight_with_a_step_a_channel() -> None:
    shared = {"backbone.3.0.weight": np.zeros((2, 1, 1, 2), np.float32), "backbone.3.0.bias": np.ones(2, np.float32)}
    tuned = {
        "backbone.3.0.weight": np.array([[[[1.27, -0.4]]], [[[0.0254, 0.0]]]], np.float32),
        "backbone.3.0.bias": np.array([1.5, 1.0], np.float32),
    }
    stored = store_difference(tuned, shared)
    assert stored["backbone.3.0.weight"].tolist() == [[[[127, -40]]], [[[127, 0]]]]
    assert stored["backbone.3.0.weight"].dtype == np.int8
    assert stored["backbone.3.0.weight" + STEP].tolist() == pytest.approx([0.01, 0.0002])
    assert stored["backbone.3.0.bias"].tolist() == [0.5, 0.0]
    assert is_difference(stored)
    restored = restore_weights(stored, shared)
    assert restored.keys() == tuned.keys()
    for name, weight in tuned.items():
        np.testing.assert_allclose(restored[name], weight, atol=1e-6)


def test_no_weight_is_off_by_more_than_half_a_step() -> None:
    shared = {"backbone.9.1.weight": RNG.normal(0, 1, (8, 4, 3, 3)).astype(np.float32)}
    tuned = {name: weight + RNG.normal(0, 0.02, weight.shape).astype(np.float32) for name, weight in shared.items()}
    stored = store_difference(tuned, shared)
    step = stored["backbone.9.1.weight" + STEP].reshape(-1, 1, 1, 1)
    error = np.abs(restore_weights(stored, shared)["backbone.9.1.weight"] - tuned["backbone.9.1.weight"])
    assert (error <= 0.5 * step + 1e-6).all()
    assert error.max() > 0


def test_untouched_weights_come_back_as_they_were() -> None:
    shared = {"backbone.4.0.weight": np.full((3, 2, 1, 1), 0.7, np.float32)}
    assert np.array_equal(
        restore_weights(store_difference(shared, shared), shared)["backbone.4.0.weight"], shared["backbone.4.0.weight"]
    )


def test_a_difference_from_nothing_is_an_error() -> None:
    with pytest.raises(KeyError):
        restore_weights({"backbone.3.0.bias": np.zeros(2, np.float16)}, {})
