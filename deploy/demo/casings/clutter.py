"""What is in the picture and is no defect: the support under the part, dust, lint, fingerprints, wipe marks."""

from __future__ import annotations

import math

import numpy as np

from deploy.demo.casings.noise import Plane, blobs, fractal, smoothstep, streaks, white
from deploy.demo.casings.part import Part
from deploy.demo.casings.surface import Surface

SUPPORTS = ("belt", "plate", "foam", "mat", "steel")


def lay_support(rng: np.random.Generator, part: Part, *, u: Plane, v: Plane, scale: float) -> Plane:
    """Reflectance (height, width, 3) of what the part lies on: line A has a conveyor, line B mostly fixtures."""
    odds = [0.6, 0.1, 0.0, 0.1, 0.2] if part.line == "A" else [0.0, 0.4, 0.25, 0.25, 0.1]
    kind = str(rng.choice(SUPPORTS, p=odds))
    shape = (u.shape[0], u.shape[1])
    uneven = fractal(rng, shape, cell=max(shape) / 4, octaves=4)
    grain = white(rng, shape)
    match kind:
        case "belt":
            weave = np.sin(u * 2.6) * np.sin(v * 2.6)
            scuffs = streaks(rng, shape, lengths=(max(8, shape[1] // 4),))
            level = 0.055 * (1 + 0.16 * weave + 0.09 * uneven + 0.10 * grain + 0.12 * np.maximum(scuffs - 1, 0))
            colour = (0.95, 1.04, 1.0)
        case "plate":
            level = 0.05 * (1 + 0.10 * uneven + 0.08 * grain) + _bores(rng, u, v, scale=scale)
            colour = (1.0, 1.0, 1.04)
        case "foam":
            pores = fractal(rng, shape, cell=max(2.0, 1.1 * scale), octaves=3)
            level = 0.09 * (1 + 0.10 * uneven + 0.30 * pores + 0.10 * grain)
            colour = (1.0, 1.0, 1.03)
        case "mat":
            level = 0.17 * (1 + 0.06 * uneven + 0.05 * blobs(rng, shape, cell=max(1.5, 0.5 * scale)) + 0.03 * grain)
            colour = (0.34, 0.72, 1.15)
        case _:
            level = 0.34 * (
                1 + 0.05 * uneven + 0.09 * streaks(rng, shape, lengths=(shape[1] // 2 + 1, 40)) + 0.03 * grain
            )
            colour = (1.0, 0.99, 0.97)
    result: Plane = np.maximum(level, 0.004).astype(np.float32)[..., None] * np.asarray(colour, np.float32)
    return result


def _bores(rng: np.random.Generator, u: Plane, v: Plane, *, scale: float) -> Plane:
    """Threaded holes of a fixture plate on a 25 mm grid: dark, with a bright countersink."""
    pitch = 25.0
    fu = (u + rng.uniform(0, 25)) % pitch - pitch / 2
    fv = (v + rng.uniform(0, 25)) % pitch - pitch / 2
    r = np.sqrt(fu * fu + fv * fv)
    edge = 0.7 / scale
    bore = smoothstep(2.6 + edge, 2.6 - edge, r)
    sink = smoothstep(3.2 + edge, 3.2 - edge, r) - bore
    result: Plane = sink * (0.07 + 0.06 * fv / 3) - 0.044 * bore
    return result


def soil(rng: np.random.Generator, surface: Surface) -> None:
    """Lay dust and lint over casing and support, and prints and wipe marks on the casing, in place."""
    if rng.random() < 0.35:
        _touch(rng, surface)
    if rng.random() < 0.3:
        _wipe(rng, surface)
    for _ in range(int(rng.poisson(9))):
        _drop_speck(rng, surface)
    for _ in range(int(rng.poisson(0.8))):
        _drop_lint(rng, surface)


def _touch(rng: np.random.Generator, surface: Surface) -> None:
    """A fingerprint: faint curved ridges of grease that dull the reflection."""
    u, v = _somewhere(rng, surface)
    turn = float(rng.uniform(0, math.pi))
    du, dv = surface.u - u, surface.v - v
    x = (du * math.cos(turn) + dv * math.sin(turn)) / 8.5
    y = (dv * math.cos(turn) - du * math.sin(turn)) / 6.0
    shape = (surface.u.shape[0], surface.u.shape[1])
    bent = fractal(rng, shape, cell=max(shape) / 9, octaves=2)
    r = np.sqrt((x + 0.25) ** 2 + (1.2 * y) ** 2) * 8.0
    ridges = 0.5 + 0.5 * np.sin(r * (2 * math.pi / 0.62) + 2.2 * bent)
    pad = smoothstep(1.0, 0.45, x * x + y * y + 0.18 * bent)
    surface.gloss[...] *= 1 - rng.uniform(0.06, 0.16) * pad * (0.35 + 0.65 * ridges)


def _wipe(rng: np.random.Generator, surface: Surface) -> None:
    """The arc of a cloth: a few parallel, very faint bands."""
    u, v = _somewhere(rng, surface)
    radius = float(rng.uniform(40, 120))
    turn = float(rng.uniform(0, 2 * math.pi))
    du = surface.u - (u - radius * math.cos(turn))
    dv = surface.v - (v - radius * math.sin(turn))
    r = np.sqrt(du * du + dv * dv) - radius
    along = np.arctan2(dv, du) - turn
    along = (along + math.pi) % (2 * math.pi) - math.pi
    sweep = smoothstep(1.0, 0.4, np.abs(along) * (radius / 26)) * smoothstep(7.0, 3.0, np.abs(r))
    bands = np.sin(r * 1.7) + 0.6 * np.sin(r * 3.9 + 1) + 0.4 * np.sin(r * 7.3 + 2)
    surface.gloss[...] *= 1 + rng.uniform(0.02, 0.05) * sweep * bands


def _drop_speck(rng: np.random.Generator, surface: Surface) -> None:
    """A grain of dust: pale grey, lit from all sides, so it stands out on dark metal and hardly on bright."""
    row, column = int(rng.integers(surface.u.shape[0])), int(rng.integers(surface.u.shape[1]))
    radius = max(float(rng.uniform(0.08, 0.26)), 0.5 / surface.scale)
    reach = math.ceil(radius * surface.scale * 2) + 1
    part = surface.window(
        slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
    )
    du, dv = part.u - surface.u[row, column], part.v - surface.v[row, column]
    _cover(part, np.exp(-(du * du + dv * dv * 1.6) / (radius * radius)) * rng.uniform(0.25, 0.8))


def _drop_lint(rng: np.random.Generator, surface: Surface) -> None:
    """A curled textile fibre, thinner and more bent than any scratch."""
    row, column = int(rng.integers(surface.u.shape[0])), int(rng.integers(surface.u.shape[1]))
    angle, curl = float(rng.uniform(0, 6.3)), float(rng.normal(0, 0.9))
    length = float(rng.uniform(2, 5))
    steps = np.linspace(0, length, 24)
    heading = angle + curl * np.sin(steps * float(rng.uniform(0.8, 1.8)))
    pu = surface.u[row, column] + np.cumsum(np.cos(heading)) * (length / 24)
    pv = surface.v[row, column] + np.cumsum(np.sin(heading)) * (length / 24)
    reach = math.ceil(length * surface.scale * 1.1) + 2
    part = surface.window(
        slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
    )
    nearest = np.full(part.u.shape, 1e6, dtype=np.float32)
    for at_u, at_v in zip(pu.astype(np.float32), pv.astype(np.float32), strict=True):
        nearest = np.minimum(nearest, (part.u - at_u) ** 2 + (part.v - at_v) ** 2)
    width = max(0.09, 0.42 / surface.scale)
    _cover(part, np.exp(-nearest / (width * width)) * rng.uniform(0.3, 0.6))


def _cover(part: Surface, amount: Plane) -> None:
    for plane in (part.albedo, part.around):
        plane[...] += (0.52 - plane) * amount[..., None]
    part.gloss[...] *= 1 - 0.6 * amount


def _somewhere(rng: np.random.Generator, surface: Surface) -> tuple[float, float]:
    row, column = int(rng.integers(surface.u.shape[0])), int(rng.integers(surface.u.shape[1]))
    return float(surface.u[row, column]), float(surface.v[row, column])
