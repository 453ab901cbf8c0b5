"""The four kinds of damage. Each says how it bends the metal and changes its colour; light does the rest.

Lengths are millimetres. Every kind has compact support: beyond its `reach` it changes nothing, so that the box
around what it changes is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Protocol

import numpy as np

from deploy.demo.casings.noise import Plane, fractal, sample, smoothstep, white
from deploy.demo.casings.part import BARE_METAL
from deploy.demo.casings.surface import Surface

LABELS: Final = ("scratch", "dent", "pit_mark", "discoloration")


class Mark(NamedTuple):
    """A change to a surface: added slope, and the logarithm of the factor on its colour (height, width, 3)."""

    tilt_u: Plane
    tilt_v: Plane
    gain: Plane


class Defect(Protocol):
    """One flaw at (u, v) of the part."""

    @property
    def label(self) -> str: ...
    @property
    def u(self) -> float: ...
    @property
    def v(self) -> float: ...
    @property
    def reach(self) -> float:
        """No pixel farther than this from (u, v) changes."""

    @property
    def least(self) -> float:
        """Change of brightness, of 255, that its strongest pixel has at least: it must be visible to be labelled."""

    def spine(self) -> list[tuple[float, float, float]]:
        """Circles (u, v, radius) that cover it."""

    def mark(self, surface: Surface) -> Mark:
        """Its effect on a window of the surface."""


@dataclass(frozen=True)
class Scratch:
    """A fine, slightly bent line, deeper here and shallower there, sometimes with fainter companions."""

    label: ClassVar[str] = "scratch"
    u: float
    v: float
    angle: float
    length: float
    bow: float
    """Sagitta as a share of the length."""
    width: float
    strength: float
    companions: tuple[tuple[float, float], ...]
    """Sideways distance and relative strength of parallel lines."""
    least: float
    seed: int

    @property
    def reach(self) -> float:
        return self.length / 2 + 2.5

    def spine(self) -> list[tuple[float, float, float]]:
        steps = np.linspace(-0.5, 0.5, 9) * self.length
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        bend = self._bend(steps)
        return [
            (float(self.u + s * cos - t * sin), float(self.v + s * sin + t * cos), 1.5)
            for s, t in zip(steps, bend, strict=True)
        ]

    def _bend(self, s: Plane) -> Plane:
        """Sideways position of the line at `s` along its chord."""
        x = s * (2 / self.length)
        wave = 0.18 * np.sin(2.3 * x + (self.seed % 7))
        result: Plane = (self.bow * self.length) * (x * x - 0.5 + wave * (1 - x * x))
        return result

    def mark(self, surface: Surface) -> Mark:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        du, dv = surface.u - self.u, surface.v - self.v
        s, t = du * cos + dv * sin, dv * cos - du * sin
        pressure = self._pressure(s)
        width = max(self.width, 0.65 / surface.scale)
        thin = self.width / width
        line, slope = np.zeros_like(s), np.zeros_like(s)
        centre = self._bend(s)
        for offset, share in ((0.0, 1.0), *self.companions):
            x = (t - centre - offset) / width
            core = np.exp(-(x * x)) * pressure * share * (np.abs(x) < 3)
            line += core
            slope += x * core
        glint = abs(cos * surface.lamp[1] - sin * surface.lamp[0])
        brightness = surface.albedo.mean(axis=2, keepdims=True)
        bare = np.log(np.asarray(BARE_METAL, np.float32) * 0.9 / np.maximum(surface.albedo, 0.02))
        shine = np.clip(1.25 - 1.9 * brightness + 0.9 * (glint - 0.5), -0.8, 1)
        gain = np.where(shine > 0, shine * np.maximum(bare, 0.25), 0.7 * shine) * (self.strength * thin)
        slope *= 0.22 * self.strength * thin
        return Mark(-slope * sin, slope * cos, gain * line[..., None])

    def _pressure(self, s: Plane) -> Plane:
        """How hard the edge that scratched pressed, along the line: 0 at both ends, uneven between."""
        rng = np.random.default_rng(self.seed)
        count = max(8, int(self.length * 2.5))
        uneven = 0.75 * fractal(rng, (2, count), cell=count / 5, octaves=5)[:1] + 0.45 * white(rng, (1, count))
        position = (s / self.length + 0.5) * (count - 1)
        rough = sample(uneven, position, np.zeros_like(position))
        start, end = rng.uniform(0.03, 0.35, 2)
        along = s / self.length + 0.5
        taper = smoothstep(0.0, float(start), along) * smoothstep(1.0, 1.0 - float(end), along)
        result: Plane = taper * np.clip(0.8 + 0.33 * rough, 0.12, 1.4)
        return result


@dataclass(frozen=True)
class Dent:
    """A shallow dish with a slightly raised lip, wider one way than the other."""

    label: ClassVar[str] = "dent"
    u: float
    v: float
    radius: float
    stretch: float
    angle: float
    depth: float
    """Steepest slope."""
    skew: float
    least: float
    seed: int

    @property
    def reach(self) -> float:
        return self.radius * self.stretch * 1.6

    def spine(self) -> list[tuple[float, float, float]]:
        return [(self.u, self.v, self.radius * self.stretch * 1.4)]

    def mark(self, surface: Surface) -> Mark:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        radius = max(self.radius, 2.0 / surface.scale)
        du, dv = surface.u - self.u, surface.v - self.v
        x = (du * cos + dv * sin) / (radius * self.stretch)
        y = (dv * cos - du * sin) / radius
        x = x + self.skew * (1 - np.minimum(x * x + y * y, 1))
        turn = np.arctan2(y, x)
        r = np.sqrt(x * x + y * y) * (
            1 + 0.07 * np.sin(2 * turn + self.seed % 5) + 0.04 * np.sin(5 * turn + self.seed % 11)
        )
        inner = np.maximum(1 - r * r, 0)
        lip = np.clip(1 - np.abs(r - 1.1) / 0.24, 0, 1)
        slope = self.depth * (-2.6 * r * inner + 0.22 * lip * lip * np.sign(r - 1.1))
        safe = np.maximum(r, 1e-3)
        along, across = slope * x / safe, slope * y / safe
        worn = 0.10 * inner * inner
        return Mark(along * cos - across * sin, along * sin + across * cos, np.repeat(-worn[..., None], 3, axis=2))


@dataclass(frozen=True)
class PitMark:
    """A small dark crater with a ragged rim that catches the light."""

    label: ClassVar[str] = "pit_mark"
    u: float
    v: float
    radius: float
    darkness: float
    least: float
    seed: int

    @property
    def reach(self) -> float:
        return self.radius * 2.2 + 0.3

    def spine(self) -> list[tuple[float, float, float]]:
        return [(self.u, self.v, self.radius * 1.5 + 0.3)]

    def mark(self, surface: Surface) -> Mark:
        rng = np.random.default_rng(self.seed)
        radius = max(self.radius, 1.35 / surface.scale)
        x, y = (surface.u - self.u) / radius, (surface.v - self.v) / radius
        turn = np.arctan2(y, x)
        ragged = np.ones_like(x)
        for wave in range(2, 6):
            ragged += rng.normal(0, 0.22 / wave) * np.sin(wave * turn + rng.uniform(0, 6.3))
        r = np.sqrt(x * x + y * y) / ragged
        crater = smoothstep(1.05, 0.35, r)
        rim = np.clip(1 - np.abs(r - 1.15) / 0.38, 0, 1) ** 2
        towards = (x * surface.lamp[0] + y * surface.lamp[1]) / np.maximum(r, 0.2)
        safe = np.maximum(np.sqrt(x * x + y * y), 1e-3)
        slope = -0.8 * crater * np.clip(r, 0, 1) + 0.18 * rim
        shadow = 1.35 * crater * (1 + 0.35 * np.clip(towards, -1, 1))
        gain = -self.darkness * shadow + 0.16 * rim * (0.5 - towards)
        return Mark(slope * x / safe, slope * y / safe, np.repeat(gain[..., None], 3, axis=2))


@dataclass(frozen=True)
class Discoloration:
    """A soft stain of irregular outline; `tint` is the log factor a channel at its strongest."""

    label: ClassVar[str] = "discoloration"
    u: float
    v: float
    radius: float
    stretch: float
    angle: float
    tint: tuple[float, float, float]
    ring: float
    """Strength of a tide mark along its border."""
    least: float
    seed: int

    @property
    def reach(self) -> float:
        return self.radius * self.stretch * 1.45

    def spine(self) -> list[tuple[float, float, float]]:
        return [(self.u, self.v, self.radius * self.stretch * 1.15)]

    def mark(self, surface: Surface) -> Mark:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        du, dv = surface.u - self.u, surface.v - self.v
        x = (du * cos + dv * sin) / (self.radius * self.stretch)
        y = (dv * cos - du * sin) / self.radius
        rng = np.random.default_rng(self.seed)
        shape, mottle = fractal(rng, (64, 64), cell=22, octaves=4), fractal(rng, (64, 64), cell=9, octaves=3)
        ragged, uneven = (sample(field, (x + 2) * 16, (y + 2) * 16) for field in (shape, mottle))
        level = 1 - (x * x + y * y) + 0.34 * ragged * (x * x + y * y < 2.1)
        stain = smoothstep(0.04, 0.75, level) * (x * x + y * y < 2.1)
        tide = np.exp(-(((level - 0.28) / 0.13) ** 2)) * (stain > 0.01)
        amount = stain * np.clip(0.85 + 0.2 * uneven, 0.2, 1.3) + self.ring * tide
        flat = np.zeros_like(x)
        return Mark(flat, flat, amount[..., None] * np.asarray(self.tint, np.float32))
