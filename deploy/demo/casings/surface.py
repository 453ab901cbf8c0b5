"""What the camera looks at, per pixel: slope, colour and gloss of the casing, and what lies around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy.demo.casings.noise import Plane, fractal, sample, smoothstep, streaks, white
from deploy.demo.casings.part import BARE_METAL, Hole, Part


@dataclass(frozen=True)
class Surface:
    """Planes of one shape (height, width); `albedo` and `around` have three channels, linear.

    A window shares memory with the whole: damage is written in place.
    """

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
        return Surface(**{name: plane[rows, columns] for name, plane in vars(self).items()})


def outline(u: Plane, v: Plane, box: Hole) -> tuple[Plane, Plane, Plane]:
    """Signed distance to a rounded rectangle in mm (negative inside) and the outward direction there."""
    du, dv = u - np.float32(box.u), v - np.float32(box.v)
    qu = np.abs(du) - np.float32(box.half_u - box.radius)
    qv = np.abs(dv) - np.float32(box.half_v - box.radius)
    pu, pv = np.maximum(qu, 0), np.maximum(qv, 0)
    corner = np.sqrt(pu * pu + pv * pv)
    distance: Plane = corner + np.minimum(np.maximum(qu, qv), 0) - np.float32(box.radius)
    rounded = corner > 1e-6
    safe = np.where(rounded, corner, 1)
    out_u = np.where(rounded, pu / safe, (qu >= qv).astype(np.float32)) * np.sign(du)
    out_v = np.where(rounded, pv / safe, (qu < qv).astype(np.float32)) * np.sign(dv)
    return distance, out_u.astype(np.float32), out_v.astype(np.float32)


def body(part: Part) -> Hole:
    """The casing's outer contour."""
    return Hole(0.0, 0.0, part.length / 2, part.width / 2, part.radius)


def build_surface(
    part: Part, *, u: Plane, v: Plane, scale: float, support: Plane, lamp: tuple[float, float]
) -> Surface:
    """The undamaged casing on its `support` (height, width, 3), sampled at (u, v); `scale` in pixels a mm.

    `lamp` is the direction towards the light in the part's frame; it decides on which side shadows fall.
    """
    flat = np.zeros_like(u)
    distance, out_u, out_v = outline(u, v, body(part))
    surface = Surface(
        u=u,
        v=v,
        tilt_u=flat.copy(),
        tilt_v=flat.copy(),
        albedo=np.broadcast_to(np.float32(part.colour), (*u.shape, 3)).copy(),
        gloss=np.ones_like(u),
        cover=_inside(distance, scale),
        opening=flat.copy(),
        around=support,
        wall=flat.copy(),
    )
    _lay_grain(surface, part, scale=scale)
    if part.bands:
        _lay_bands(surface, part, scale=scale)
    _bend_edge(surface, part, distance, out_u, out_v, scale=scale)
    if part.plateau is not None:
        _raise_plateau(surface, part.plateau, lamp=lamp, scale=scale)
    for hole in part.holes:
        _cut(surface, hole, lamp=lamp, scale=scale)
    _cast_shadow(surface, part, lamp=lamp)
    return surface


def _inside(distance: Plane, scale: float) -> Plane:
    """Share of each pixel that lies inside a contour."""
    result: Plane = np.clip(0.5 - distance * np.float32(scale), 0, 1)
    return result


def _lay_grain(surface: Surface, part: Part, *, scale: float) -> None:
    rng = np.random.default_rng(part.texture)
    shape = surface.u.shape
    uneven = fractal(rng, (shape[0], shape[1]), cell=max(shape) / 3, octaves=3)
    surface.albedo[...] *= (1 + 0.018 * uneven)[..., None]
    if part.finish == "brushed":
        texels = 1.25 * scale
        grain = streaks(rng, (512, 1024), lengths=(700, 240, 60, 12))
        along, across = (surface.u, surface.v) if part.brushed_along else (surface.v, surface.u)
        lines = sample(grain, along * np.float32(texels * 0.6), across * np.float32(texels))
        tilt = surface.tilt_v if part.brushed_along else surface.tilt_u
        tilt += 0.022 * lines
        surface.albedo[...] *= (1 + 0.035 * lines)[..., None]
        surface.gloss[...] *= 1 + 0.10 * lines
        return
    grain = white(rng, shape)
    depth = 0.028 if part.finish == "anodised" else 0.012
    surface.albedo[...] *= (1 + depth * grain)[..., None]
    surface.tilt_u[...] += 0.35 * depth * white(rng, shape)
    surface.tilt_v[...] += 0.35 * depth * white(rng, shape)
    surface.gloss[...] *= 0.55 if part.finish == "anodised" else 1.25


def _lay_bands(surface: Surface, part: Part, *, scale: float) -> None:
    plastic = np.float32(part.colour) * 0.72 + np.float32(0.06)
    near = np.abs(np.abs(surface.u) - np.float32(part.length / 2 - 9.5)) - np.float32(0.65)
    band = _inside(near, scale)
    surface.albedo[...] += (plastic - surface.albedo) * band[..., None]
    surface.gloss[...] *= 1 - 0.75 * band
    for tilt in (surface.tilt_u, surface.tilt_v):
        tilt *= 1 - band
    seam = np.exp(-((near * max(scale, 1.0) / 0.7) ** 2))
    surface.albedo[...] *= (1 - 0.22 * seam)[..., None]


def _bend_edge(surface: Surface, part: Part, distance: Plane, out_u: Plane, out_v: Plane, *, scale: float) -> None:
    """Roll the back off towards the rim and cut the chamfer, which bares the metal under the dye."""
    slope = np.zeros_like(distance)
    if part.roll:
        depth = np.clip((distance + np.float32(part.edge + part.roll)) / np.float32(part.roll), 0, 1)
        slope += 0.30 * depth**2
    chamfer = _inside(-(distance + np.float32(part.edge)), scale)
    slope += chamfer * (0.62 - slope)
    surface.tilt_u[...] += slope * out_u
    surface.tilt_v[...] += slope * out_v
    bare = (0.75 * chamfer)[..., None]
    surface.albedo[...] += (np.float32(BARE_METAL) * 0.9 - surface.albedo) * bare
    surface.gloss[...] += (1.5 - surface.gloss) * chamfer
    outermost = smoothstep(-1.3 / scale, 0.4 / scale, distance)
    surface.albedo[...] *= (1 - 0.55 * outermost)[..., None]


def _raise_plateau(surface: Surface, plateau: Hole, *, lamp: tuple[float, float], scale: float) -> None:
    distance, out_u, out_v = outline(surface.u, surface.v, plateau)
    slope = 0.5 * np.exp(-(((distance + 0.1) / np.float32(max(0.45, 0.7 / scale))) ** 2))
    surface.tilt_u[...] += slope * out_u
    surface.tilt_v[...] += slope * out_v
    away = np.clip(-(out_u * np.float32(lamp[0]) + out_v * np.float32(lamp[1])), 0, 1)
    shade = np.exp(-np.maximum(distance - 0.4, 0) / 1.3) * (distance > 0.0)
    surface.albedo[...] *= (1 - (0.12 + 0.33 * away) * shade)[..., None]


def _cut(surface: Surface, hole: Hole, *, lamp: tuple[float, float], scale: float) -> None:
    distance, out_u, out_v = outline(surface.u, surface.v, hole)
    lip = max(0.4, 0.8 / scale)
    rim = _inside(distance - np.float32(lip), scale) - _inside(distance, scale)
    surface.tilt_u[...] -= 0.5 * rim * out_u
    surface.tilt_v[...] -= 0.5 * rim * out_v
    surface.albedo[...] += (np.float32(BARE_METAL) * 0.85 - surface.albedo) * (0.7 * rim)[..., None]
    surface.gloss[...] += (1.4 - surface.gloss) * rim
    surface.opening[...] = np.maximum(surface.opening, _inside(distance, scale))
    facing = np.clip(-(out_u * np.float32(lamp[0]) + out_v * np.float32(lamp[1])), 0, 1)
    wall = smoothstep(-1.5, -0.2, distance) * (0.06 + 0.34 * facing**2)
    surface.wall[...] = np.maximum(surface.wall, np.where(distance < 0.5, wall, 0))


def _cast_shadow(surface: Surface, part: Part, *, lamp: tuple[float, float]) -> None:
    """Darken the support under the rim and on the side away from the lamp."""
    shift_u, shift_v = np.float32(3.2 * lamp[0]), np.float32(3.2 * lamp[1])
    shadow, _, _ = outline(surface.u + shift_u, surface.v + shift_v, body(part))
    contact, _, _ = outline(surface.u, surface.v, body(part))
    surface.around[...] *= (1 - 0.62 * smoothstep(3.0, -2.5, shadow))[..., None]
    surface.around[...] *= (1 - 0.6 * np.exp(-np.maximum(contact, 0) / 1.6))[..., None]
