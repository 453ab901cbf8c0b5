"""How the station is lit, and what that makes of a surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deploy.demo.casings.noise import Plane
from deploy.demo.casings.part import Part
from deploy.demo.casings.surface import Surface

WORKING_DISTANCE_MM = 230.0
"""Camera above the part: a flat mirror's reflection direction changes by 1 over this for each mm aside."""


@dataclass(frozen=True)
class Light:
    """A key lamp, a dome of ambient light and a tube on the ceiling, in the part's frame."""

    lamp_u: float
    """Unit direction towards the key lamp, seen from above."""
    lamp_v: float
    height: float
    """How far off the vertical the lamp stands, as a slope: 0.3 nearly overhead, 1 grazing."""
    key: float
    ambient: float
    spread: float
    """Angular size of the lamp's reflection."""
    tube: float
    """Strength of the ceiling tube's reflection; 0 for none."""
    tube_angle: float
    tube_offset: float

    @property
    def lamp(self) -> tuple[float, float]:
        return self.lamp_u, self.lamp_v


def draw_light(rng: np.random.Generator, part: Part, *, rotation: float) -> Light:
    """A random set-up; the night shift has less of everything. `rotation` in radians: image frame to part frame."""
    angle = float(rng.uniform(0, 2 * math.pi)) - rotation
    dim = 0.75 if part.shift == "night" else 1.0
    return Light(
        lamp_u=math.cos(angle),
        lamp_v=math.sin(angle),
        height=float(rng.uniform(0.12, 0.62)),
        key=dim * float(rng.uniform(0.6, 1.7)),
        ambient=float(rng.uniform(0.3, 0.7)),
        spread=float(rng.uniform(0.13, 0.34)),
        tube=float(rng.uniform(0.15, 0.5)) if rng.random() < 0.3 else 0.0,
        tube_angle=float(rng.uniform(0, math.pi)),
        tube_offset=float(rng.uniform(-0.14, 0.14)),
    )


def shade(surface: Surface, light: Light, part: Part) -> Plane:
    """Linear RGB (height, width, 3) of the scene before lens and sensor."""
    metal = surface.albedo * _illuminate(surface, light, part)[..., None]
    lit = light.ambient + 0.45 * light.key
    centre = part.station.along * part.length
    nearer = ((surface.u - centre) * light.lamp_u + surface.v * light.lamp_v) / 85
    under = surface.around * (0.30 * lit) + (surface.wall * lit)[..., None] * np.asarray(part.colour, np.float32)
    metal += (under - metal) * surface.opening[..., None]
    result: Plane = surface.around * (lit + (0.16 * light.key) * np.tanh(nearer))[..., None]
    result += (metal - result) * surface.cover[..., None]
    return result


def _illuminate(surface: Surface, light: Light, part: Part) -> Plane:
    """What metal of reflectance 1 sends to the camera: a diffuse part and the blurred mirror image of the lamps."""
    lamp_u, lamp_v = light.lamp_u, light.lamp_v
    facing = surface.tilt_u * lamp_u + surface.tilt_v * lamp_v
    diffuse = light.ambient + light.key * np.maximum(0.55 + 0.9 * light.height * facing, 0)
    centre = part.station.along * part.length
    mirror_u = 2 * surface.tilt_u + (surface.u - centre) / WORKING_DISTANCE_MM
    mirror_v = 2 * surface.tilt_v + surface.v / WORKING_DISTANCE_MM
    off_u = mirror_u - (light.lamp_u * light.height)
    off_v = mirror_v - (light.lamp_v * light.height)
    rough_u, rough_v = _roughness(part)
    key = np.exp(-0.5 * ((off_u / (light.spread * rough_u)) ** 2 + (off_v / (light.spread * rough_v)) ** 2))
    side = np.tanh(1.6 * (mirror_u * lamp_u + mirror_v * lamp_v))
    glossy = light.ambient * (0.75 + 0.65 * side) + 1.5 * light.key * key
    if light.tube:
        across = mirror_u * math.cos(light.tube_angle) + mirror_v * math.sin(light.tube_angle)
        width = 0.035 if part.finish == "satin" else 0.075
        glossy += light.tube * np.exp(-(((across - light.tube_offset) / width) ** 2))
    result: Plane = 0.38 * diffuse + 0.6 * surface.gloss * glossy
    return result


def _roughness(part: Part) -> tuple[float, float]:
    """Spread of a reflection along u and v: brushing smears it across the lines."""
    if part.finish == "brushed":
        return (0.8, 2.6) if part.brushed_along else (2.6, 0.8)
    return (1.5, 1.5) if part.finish == "anodised" else (0.9, 0.9)
