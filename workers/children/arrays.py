"""Named arrays as raw buffers beside a frame's JSON: nothing is pickled, nothing is copied on arrival."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

#: Little-endian numbers only; an object array would be pickled on the way.
DTYPES: Final = frozenset(
    [
        "bool",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint32",
        "int32",
        "uint64",
        "int64",
        "float16",
        "float32",
        "float64",
    ]
)


class BadArrays(Exception):
    """A description of arrays that does not fit its buffers, or arrays that may not be sent."""


def describe(arrays: Mapping[str, Array]) -> tuple[list[dict[str, Any]], list[memoryview]]:
    """Return a JSON description and the buffers, in the same order; raises ``BadArrays`` for other dtypes."""
    descriptions, buffers = [], []
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise BadArrays(f"{name} is of {array.dtype}")
        solid = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        descriptions.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape)})
        buffers.append(solid.reshape(-1).view(np.uint8).data if solid.size else memoryview(b""))
    return descriptions, buffers


def restore(descriptions: Any, buffers: Sequence[memoryview]) -> dict[str, Array]:
    """Return writable arrays on ``buffers``, as ``descriptions`` says; raises ``BadArrays``."""
    if not isinstance(descriptions, list) or len(descriptions) != len(buffers):
        raise BadArrays("not one description for each buffer")
    arrays: dict[str, Array] = {}
    for description, buffer in zip(descriptions, buffers, strict=True):
        name, dtype, shape = _parts(description)
        if math.prod(shape) * np.dtype(dtype).itemsize != len(buffer) or name in arrays:
            raise BadArrays(f"{name} does not fit its buffer")
        arrays[name] = np.frombuffer(buffer, dtype=dtype).reshape(shape)
    return arrays


def _parts(description: Any) -> tuple[str, str, list[int]]:
    if not isinstance(description, dict):
        raise BadArrays("a description that is no object")
    name, dtype, shape = (description.get(key) for key in ("name", "dtype", "shape"))
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in DTYPES:
        raise BadArrays(f"an array called {name!r} of {dtype!r}")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise BadArrays(f"{name} has the shape {shape!r}")
    return name, dtype, shape
