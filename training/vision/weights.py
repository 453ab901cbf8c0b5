"""What a model stores of its weights, and what they are: numpy alone, for serving needs it too.

Convolutions of the heads are stored in 8 bits, each output channel with a step of its own, the rest as fp16. Of a
convolution of the backbone that was tuned only the difference from the shared one is stored, as a product of two thin
matrices in 8 bits: fine-tuning moves weights little, and mostly along a few directions (docs/ablations.md says what
rank costs).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Stored = dict[str, npt.NDArray[np.generic]]
STEP, UP, DOWN, SHIFT = ".step", ".up", ".down", ".shift"  # after a name; the last is how a bias moved


def store_weights(weights: Mapping[str, Floats]) -> Stored:
    """Convolutions (O, I, k, k) in 8 bits, all else as fp16."""
    stored: Stored = {}
    for name, weight in weights.items():
        if weight.ndim == 4:
            stored |= _store_bytes(name, weight, (1, 2, 3))
        else:
            stored[name] = np.asarray(weight, np.float16, order="C")
    return stored


def store_move(name: str, moved: npt.NDArray[np.floating], rank: int) -> Stored:
    """How a 1 × 1 convolution's weight (O, I) moved, as up (O, r, 1, 1) times down (r, I, 1, 1).

    The nearest such product there is (Eckart and Young 1936); each of the r directions has a step of its own.
    """
    left, sizes, right = np.linalg.svd(np.asarray(moved, np.float64), full_matrices=False)
    root = np.sqrt(sizes[:rank])
    up, down = left[:, :rank] * root, root[:, None] * right[:rank]
    return _store_bytes(name + UP, up[:, :, None, None], (0, 2, 3)) | _store_bytes(
        name + DOWN, down[:, :, None, None], (1, 2, 3)
    )


def _store_bytes(name: str, values: npt.NDArray[np.floating], axes: tuple[int, ...]) -> Stored:
    step = np.maximum(np.abs(values).max(axis=axes, keepdims=True), 1e-12) / 127
    # In C order, which a file of them means whatever order torch had them in.
    return {name: np.round(values / step).astype(np.int8, order="C"), name + STEP: step.astype(np.float32, order="C")}


def restore_weights(stored: Stored) -> dict[str, Floats]:
    """Stored weights as a graph takes them."""
    restored: dict[str, Floats] = {}
    for name, weight in stored.items():
        if name.endswith(STEP):
            continue
        wide = np.asarray(weight, np.float32)
        restored[name] = wide * np.asarray(stored[name + STEP], np.float32) if name + STEP in stored else wide
    return restored


def move_weights(shared: Mapping[str, Floats], restored: Mapping[str, Floats]) -> dict[str, Floats]:
    """All of a model's weights, each whole: the shared ones, moved where the model says so, and its own."""
    whole = dict(shared)
    for name, weight in restored.items():
        if name.endswith(UP):
            moved = weight[:, :, 0, 0] @ restored[name.removesuffix(UP) + DOWN][:, :, 0, 0]
            layer = name.removesuffix(UP) + ".weight"
            whole[layer] = shared[layer] + moved[:, :, None, None]
        elif name.endswith(SHIFT):
            whole[name.removesuffix(SHIFT) + ".bias"] = shared[name.removesuffix(SHIFT) + ".bias"] + weight
        elif not name.endswith(DOWN):
            whole[name] = weight
    return whole
