"""What the camera looks at, per pixel: slope, colour and gloss of the casing, and what lies around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deploy.demo.casings.noise import Plane, fractal, sample, smoothstep, streaks, white
from deploy.demo.casings.part import BARE_METAL, Hole, Part


@dataclass(frozen=True)
class Surface:
    """Planes of one shape (height, width); `albedo` and `around` have three channels, linear.

    A window shares memory with the whole: damage is written in place.
    """

    scale: float
    """Pixels a millimetre."""
    lamp: tuple[float, float]
    """Unit direction towards the key lamp, seen from above: it decides on which side shadows fall."""
    u: Plane
    v: Plane
    tilt_u: Plane
    """Horizontal part of the normal along u: 0 flat, positive where the metal faces positive u."""
    tilt_v: Plane
    albedo: Plane
    gloss: Plane
    """Strength of the mirror-like reflection."""
    cover: Plane
    """1 on the casing, 0 beside it."""
    opening: Plane
    """1 inside a cut-out."""
    around: Plane
    """Reflectance of the support, shadow included."""
    wall: Plane
    """Light on the inner walls of the cut-outs."""

    def window(self, rows: slice, columns: slice) -> Surface:
        planes: dict[str, Any] = {
            name: plane[rows, columns] for name, plane in vars(self).items() if isinstance(plane, np.ndarray)
        }
        return replace(self, **planes)


def distance_to(u: Plane, v: Plane, box: Hole) -> Plane:
    """Signed distance to a rounded rectangle in mm, negative inside."""
    qu = np.abs(u - box.u) - (box.half_u - box.radius)
    qv = np.abs(v - box.v) - (box.half_v - box.radius)
    pu, pv = np.maximum(qu, 0), np.maximum(qv, 0)
    result: Plane = np.sqrt(pu * pu + pv * pv) + np.minimum(np.maximum(qu, qv), 0) - box.radius
    return result


def outward(u: Plane, v: Plane, box: Hole) -> tuple[Plane, Plane]:
    """Unit direction away from a rounded rectangle's contour, everywhere."""
    du, dv = u - box.u, v - box.v
    qu = np.abs(du) - (box.half_u - box.radius)
    qv = np.abs(dv) - (box.half_v - box.radius)
    pu, pv = np.maximum(qu, 0), np.maximum(qv, 0)
    corner = np.sqrt(pu * pu + pv * pv)
    inner = corner <= 1e-6
    corner[inner] = 1
    pu += inner & (qu >= qv)
    pv += inner & (qu < qv)
    return pu / corner * np.sign(du), pv / corner * np.sign(dv)


def body(part: Part) -> Hole:
    """The casing's outer contour."""
    return Hole(0.0, 0.0, part.length / 2, part.width / 2, part.radius)


def build_surface(
    part: Part, *, u: Plane, v: Plane, scale: float, support: Plane, lamp: tuple[float, float]
) -> Surface:
    """The undamaged casing on its `support` (height, width, 3), sampled at (u, v)."""
    flat = np.zeros_like(u)
    distance = distance_to(u, v, body(part))
    surface = Surface(
        scale=scale,
        lamp=lamp,
        u=u,
        v=v,
        tilt_u=flat.copy(),
        tilt_v=flat.copy(),
        albedo=np.broadcast_to(np.asarray(part.colour, np.float32), (*u.shape, 3)).copy(),
        gloss=np.ones_like(u),
        cover=_inside(distance, scale),
        opening=flat.copy(),
        around=support,
        wall=flat.copy(),
    )
    _lay_grain(surface, part)
    if part.bands:
        _lay_bands(surface, part)
    _bend_edge(surface, part, distance)
    if part.plateau is not None:
        _raise_plateau(_around(surface, part.plateau), part.plateau)
    for hole in part.holes:
        _cut(_around(surface, hole), hole)
    _cast_shadow(surface, part, distance)
    return surface


def _inside(distance: Plane, scale: float) -> Plane:
    """Share of each pixel that lies inside a contour."""
    result: Plane = np.clip(0.5 - distance * scale, 0, 1)
    return result


def _lay_grain(surface: Surface, part: Part) -> None:
    rng = np.random.default_rng(part.texture)
    shape = surface.u.shape
    uneven = fractal(rng, (shape[0], shape[1]), cell=max(shape) / 3, octaves=3)
    surface.albedo[...] *= (1 + 0.018 * uneven)[..., None]
    if part.finish == "brushed":
        texels = 1.25 * surface.scale
        grain = streaks(rng, (512, 768), lengths=(500, 90, 14))
        along, across = (surface.u, surface.v) if part.brushed_along else (surface.v, surface.u)
        lines = sample(grain, along * (texels * 0.6), across * texels)
        tilt = surface.tilt_v if part.brushed_along else surface.tilt_u
        coarse = rng.uniform(0.45, 1.1)
        tilt += 0.020 * coarse * lines
        surface.albedo[...] *= (1 + 0.028 * coarse * lines)[..., None]
        surface.gloss[...] *= 1 + 0.09 * coarse * lines
        return
    grain = white(rng, shape)
    depth = 0.028 if part.finish == "anodised" else 0.012
    surface.albedo[...] *= (1 + depth * grain)[..., None]
    surface.tilt_u[...] += 0.35 * depth * white(rng, shape)
    surface.tilt_v[...] += 0.35 * depth * white(rng, shape)
    surface.gloss[...] *= 0.55 if part.finish == "anodised" else 1.25


def _lay_bands(surface: Surface, part: Part) -> None:
    plastic = np.asarray(part.colour, np.float32) * 0.72 + 0.06
    near = np.abs(np.abs(surface.u) - (part.length / 2 - 4.7)) - 0.65
    band = _inside(near, surface.scale)
    surface.albedo[...] += (plastic - surface.albedo) * band[..., None]
    surface.gloss[...] *= 1 - 0.75 * band
    for tilt in (surface.tilt_u, surface.tilt_v):
        tilt[...] *= 1 - band
    seam = np.exp(-((near * max(surface.scale, 1.0) / 0.7) ** 2))
    surface.albedo[...] *= (1 - 0.22 * seam)[..., None]


def _around(surface: Surface, hole: Hole) -> Surface:
    """The window of a surface that holds a contour and 8 mm about it; empty where it is out of the picture."""
    near = (np.abs(surface.u - hole.u) < hole.half_u + 8) & (np.abs(surface.v - hole.v) < hole.half_v + 8)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not rows.size:
        return surface.window(slice(0, 0), slice(0, 0))
    return surface.window(slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))


def _bend_edge(surface: Surface, part: Part, distance: Plane) -> None:
    """Roll the back off towards the rim and cut the chamfer, which may bare the metal under the dye."""
    out_u, out_v = outward(surface.u, surface.v, body(part))
    slope = np.zeros_like(distance)
    if part.roll:
        depth = np.clip((distance + (part.edge + part.roll)) / part.roll, 0, 1)
        slope += 0.30 * depth**2
    chamfer = _inside(-(distance + part.edge), surface.scale)
    wander = np.sin(surface.u * 0.11 + part.texture % 7) * np.sin(surface.v * 0.17 + part.texture % 5)
    slope += chamfer * (0.5 + 0.10 * wander - slope)
    surface.tilt_u[...] += slope * out_u
    surface.tilt_v[...] += slope * out_v
    bare = ((0.75 if part.bare_edge else 0.12) * chamfer)[..., None]
    surface.albedo[...] += (np.asarray(BARE_METAL, np.float32) * 0.9 - surface.albedo) * bare
    surface.gloss[...] += (1.35 - surface.gloss) * chamfer
    outermost = smoothstep(-1.3 / surface.scale, 0.4 / surface.scale, distance)
    surface.albedo[...] *= (1 - 0.55 * outermost)[..., None]


def _raise_plateau(surface: Surface, plateau: Hole) -> None:
    distance = distance_to(surface.u, surface.v, plateau)
    out_u, out_v = outward(surface.u, surface.v, plateau)
    slope = 0.5 * np.exp(-(((distance + 0.1) / max(0.45, 0.7 / surface.scale)) ** 2))
    surface.tilt_u[...] += slope * out_u
    surface.tilt_v[...] += slope * out_v
    away = np.clip(-(out_u * surface.lamp[0] + out_v * surface.lamp[1]), 0, 1)
    shade = np.exp(-np.maximum(distance - 0.4, 0) / 1.3) * (distance > 0.0)
    surface.albedo[...] *= (1 - (0.12 + 0.33 * away) * shade)[..., None]


def _cut(surface: Surface, hole: Hole) -> None:
    """A cut-out: a chamfered lip, walls lit opposite the lamp, and below them the support, half of it in shadow."""
    distance = distance_to(surface.u, surface.v, hole)
    out_u, out_v = outward(surface.u, surface.v, hole)
    lip = max(0.4, 0.8 / surface.scale)
    rim = _inside(distance - lip, surface.scale) - _inside(distance, surface.scale)
    surface.tilt_u[...] -= 0.5 * rim * out_u
    surface.tilt_v[...] -= 0.5 * rim * out_v
    surface.albedo[...] += (np.asarray(BARE_METAL, np.float32) * 0.85 - surface.albedo) * (0.7 * rim)[..., None]
    surface.gloss[...] += (1.4 - surface.gloss) * rim
    surface.opening[...] = np.maximum(surface.opening, _inside(distance, surface.scale))
    facing = np.clip(-(out_u * surface.lamp[0] + out_v * surface.lamp[1]), 0, 1)
    wall = smoothstep(-1.5, -0.2, distance) * (0.06 + 0.34 * facing**2)
    surface.wall[...] = np.maximum(surface.wall, np.where(distance < 0.5, wall, 0))
    open_sky = distance_to(surface.u + 3 * surface.lamp[0], surface.v + 3 * surface.lamp[1], hole)
    lit = smoothstep(1.2, -2.2, open_sky) * smoothstep(0.0, -2.4, distance)
    surface.around[...] *= (1 + 1.9 * lit * surface.opening)[..., None]


def _cast_shadow(surface: Surface, part: Part, distance: Plane) -> None:
    """Darken the support under the rim and on the side away from the lamp."""
    shift_u, shift_v = 4.5 * surface.lamp[0], 4.5 * surface.lamp[1]
    shadow = distance_to(surface.u + shift_u, surface.v + shift_v, body(part))
    surface.around[...] *= (1 - 0.62 * smoothstep(3.2, -1.5, shadow))[..., None]
    surface.around[...] *= (1 - 0.5 * np.exp(-np.maximum(distance, 0) / 1.0))[..., None]
