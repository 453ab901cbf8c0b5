"""Random textures: all of zero mean and about unit deviation, all drawn from the caller's generator."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Plane: TypeAlias = npt.NDArray[np.floating]
"""Float32 array (height, width), or (height, width, 3) where a docstring says so."""


def white(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """Independent normal values."""
    return rng.standard_normal(shape, dtype=np.float32)


def blobs(rng: np.random.Generator, shape: tuple[int, int], *, cell: float) -> Plane:
    """Smooth noise whose features are about `cell` pixels across."""
    height, width = shape
    coarse = (max(2, round(height / cell) + 2), max(2, round(width / cell) + 2))
    grid = Image.fromarray(white(rng, coarse))
    field = np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    return _normal(field)


def fractal(rng: np.random.Generator, shape: tuple[int, int], *, cell: float, octaves: int = 4) -> Plane:
    """Sum of `octaves` layers of smooth noise, each half as large and half as strong as the one before."""
    total = np.zeros(shape, dtype=np.float32)
    for octave in range(octaves):
        if octave and cell / 2**octave < 1.0:
            break
        total += blobs(rng, shape, cell=cell / 2**octave) * (0.5**octave)
    return _normal(total)


def streaks(rng: np.random.Generator, shape: tuple[int, int], *, lengths: tuple[int, ...]) -> Plane:
    """Fine lines along the second axis, of several `lengths` in pixels: what an abrasive belt leaves on metal.

    Wraps around at both axes.
    """
    total = np.zeros(shape, dtype=np.float32)
    for length in (min(wanted, shape[1]) for wanted in lengths):
        layer = white(rng, shape)
        ahead = np.concatenate([layer, layer[:, :length]], axis=1).cumsum(axis=1)
        total += _normal(ahead[:, length:] - ahead[:, :-length])
    # A little smoothing across, or sampling it between its rows would beat against the pixel grid.
    total = total * 0.5 + (np.roll(total, 1, axis=0) + np.roll(total, -1, axis=0)) * 0.25
    return _normal(total)


def sample(texture: Plane, x: Plane, y: Plane) -> Plane:
    """Values of `texture` at fractional pixel positions, bilinear, repeating beyond its borders."""
    height, width = texture.shape
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    x0, y0 = left % width, top % height
    x1, y1 = (x0 + 1) % width, (y0 + 1) % height
    upper = texture[y0, x0] * (1 - fx) + texture[y0, x1] * fx
    lower = texture[y1, x0] * (1 - fx) + texture[y1, x1] * fx
    result: Plane = upper * (1 - fy) + lower * fy
    return result


def smoothstep(low: float, high: float, value: Plane) -> Plane:
    """0 below `low`, 1 above `high`, an S-curve between; falls instead of rising where `high` < `low`."""
    ramp = np.clip((value - low) / (high - low), 0, 1)
    result: Plane = ramp * ramp * (3 - 2 * ramp)
    return result


def _normal(field: Plane) -> Plane:
    result: Plane = (field - field.mean()) / max(float(field.std()), 1e-6)
    return result
