"""What a model stores of its weights, and what they are: numpy alone, for serving needs it too.

Heads are stored as fp16. Of blocks of the backbone that were tuned only the difference from the shared ones is stored:
of a convolution in 8 bits, each output channel with a step of its own, of biases as fp16. Fine-tuning moves weights by
a few hundredths of what they are, so the error of the sum is far below that of fp16 weights.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Stored = dict[str, npt.NDArray[np.generic]]
STEP = ".step"
SHARED = "backbone."  # names of what is stored as a difference begin with it


def store_heads(weights: Mapping[str, Floats]) -> Stored:
    return {name: np.asarray(weight, np.float16, order="C") for name, weight in weights.items()}


def store_difference(tuned: Mapping[str, Floats], shared: Mapping[str, Floats]) -> Stored:
    """`tuned` are folded convolutions (O, I, k, k) and biases (O,), `shared` the same before tuning."""
    stored: Stored = {}
    for name, weight in tuned.items():
        moved = weight - shared[name]
        if moved.ndim == 1:
            stored[name] = moved.astype(np.float16)
            continue
        step = np.maximum(np.abs(moved).reshape(len(moved), -1).max(axis=1), 1e-12) / 127
        stored[name] = np.round(moved / _as_channels(step)).astype(np.int8)
        stored[name + STEP] = step.astype(np.float32)
    return stored


def is_difference(stored: Stored) -> bool:
    """Whether some of it means nothing without the shared weights."""
    return any(name.startswith(SHARED) for name in stored)


def restore_weights(stored: Stored, shared: Mapping[str, Floats]) -> dict[str, Floats]:
    """Stored weights as a graph takes them. Raises KeyError where `shared` lacks what was tuned."""
    restored: dict[str, Floats] = {}
    for name, weight in stored.items():
        if name.endswith(STEP):
            continue
        wide = np.asarray(weight, np.float32)
        if name + STEP in stored:
            wide = wide * _as_channels(np.asarray(stored[name + STEP], np.float32))
        restored[name] = wide + shared[name] if name.startswith(SHARED) else wide
    return restored


def _as_channels(steps: Floats) -> Floats:
    return steps.reshape(-1, 1, 1, 1)
