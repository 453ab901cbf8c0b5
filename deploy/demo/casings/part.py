"""The part on the line: its make, its finish, and which camera station sees it.

Lengths are millimetres in the part's own frame: origin at its centre, u along the long axis, v along the short
one, the camera cut-out at negative u.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

Colour: TypeAlias = tuple[float, float, float]
"""Linear RGB reflectance, 0 to 1."""

COLOURS: Final[dict[str, Colour]] = {
    "silver": (0.74, 0.74, 0.73),
    "champagne": (0.76, 0.66, 0.53),
    "rose": (0.72, 0.53, 0.48),
    "space grey": (0.27, 0.28, 0.30),
    "graphite": (0.10, 0.10, 0.105),
    "navy": (0.055, 0.10, 0.20),
    "teal": (0.10, 0.26, 0.28),
    "red": (0.46, 0.045, 0.05),
    "sage": (0.33, 0.40, 0.31),
}
FINISHES: Final = ("brushed", "anodised", "satin")
BARE_METAL: Final[Colour] = (0.82, 0.81, 0.79)


@dataclass(frozen=True)
class Hole:
    """A cut-out: a rectangle of half sizes `half_u`, `half_v` with corners of `radius` (a circle if all agree)."""

    u: float
    v: float
    half_u: float
    half_v: float
    radius: float


@dataclass(frozen=True)
class Station:
    """A camera of the line: where on the part it looks, and how close."""

    number: int
    along: float
    """Point looked at, as a fraction of the part's length, from its centre."""
    zoom: float
    focus: float
    """Blur of its lens, relative."""
    noise: float
    """Noise of its sensor, relative."""


STATIONS: Final = (
    Station(1, 0.0, 1.0, 1.0, 1.0),
    Station(2, -0.25, 1.62, 0.9, 0.8),
    Station(3, 0.25, 1.62, 1.35, 1.6),  # the worst of the line: soft and noisy
    Station(4, -0.29, 2.1, 1.0, 1.0),
)


@dataclass(frozen=True)
class Part:
    """One casing before anybody photographs it; `texture` seeds its grain."""

    serial: str
    lot: str
    line: str
    shift: str
    station: Station
    length: float
    width: float
    radius: float
    edge: float
    """Width of the chamfer."""
    bare_edge: bool
    """The chamfer is cut after dyeing and shows bare metal; else it is dyed like the back."""
    roll: float
    """Width over which the back curves down towards the chamfer; 0 for a flat back."""
    finish: str
    colour_name: str
    colour: Colour
    brushed_along: bool
    """Brushed along u, else along v."""
    bands: bool
    """Plastic antenna bands near both ends."""
    plateau: Hole | None
    holes: tuple[Hole, ...]
    texture: int


def draw_part(rng: np.random.Generator, *, number: int) -> Part:
    """A random part; `number` only goes into its serial."""
    length, width = float(rng.uniform(144, 160)), float(rng.uniform(69, 76))
    line = "AB"[int(rng.integers(2))]
    name = str(rng.choice(list(COLOURS), p=[0.2, 0.1, 0.08, 0.17, 0.13, 0.1, 0.08, 0.07, 0.07]))
    dye = np.asarray(COLOURS[name]) * rng.uniform(0.9, 1.08) * rng.normal(1, 0.015, 3)
    plateau, holes = _draw_camera(rng, length=length, width=width)
    return Part(
        serial=f"C{line}{2_400_000 + number * 7 + int(rng.integers(7)):07d}",
        lot=f"L{2410 + number // 20:04d}",
        line=line,
        shift=str(rng.choice(["early", "late", "night"])),
        station=STATIONS[int(rng.choice(4, p=[0.34, 0.24, 0.24, 0.18]))],
        length=length,
        width=width,
        radius=float(rng.uniform(8.5, 13)),
        edge=float(rng.uniform(0.4, 0.95)),
        bare_edge=bool(rng.random() < 0.5),
        roll=float(rng.choice([0.0, rng.uniform(2.0, 4.5)])),
        finish=str(rng.choice(FINISHES, p=[0.4, 0.38, 0.22])),
        colour_name=name,
        colour=(float(dye[0]), float(dye[1]), float(dye[2])),
        brushed_along=bool(rng.random() < 0.75),
        bands=bool(rng.random() < 0.45),
        plateau=plateau,
        holes=holes,
        texture=int(rng.integers(2**31)),
    )


def _draw_camera(rng: np.random.Generator, *, length: float, width: float) -> tuple[Hole | None, tuple[Hole, ...]]:
    """One of four cut-out layouts near the corner: lens and flash, upright pill, square window, raised plateau."""
    side = float(rng.choice([-1, 1]))
    edge_u, edge_v = -length / 2, side * width / 2
    flash = float(rng.uniform(1.3, 1.9))
    match int(rng.integers(4)):
        case 0:
            lens = float(rng.uniform(4.2, 5.2))
            u, v = edge_u + 12, edge_v - side * 13
            return None, (_circle(u, v, lens), _circle(u, v - side * (lens + 5.5), flash))
        case 1:
            long, narrow = float(rng.uniform(10, 13)), float(rng.uniform(4.4, 5.6))
            return None, (Hole(edge_u + 7 + long, edge_v - side * 13, long, narrow, narrow),)
        case 2:
            half = float(rng.uniform(11, 13.5))
            return None, (Hole(edge_u + 7 + half, edge_v - side * (7 + half), half, half, float(rng.uniform(4, 6.5))),)
        case _:
            half = float(rng.uniform(13, 15.5))
            u, v = edge_u + 6 + half, edge_v - side * (6 + half)
            lens = float(rng.uniform(4.4, 5.2))
            gap = half - lens - 2.6
            holes = (
                _circle(u - gap, v - gap, lens),
                _circle(u + gap, v - gap, lens),
                _circle(u + gap / 2, v + gap, lens),
                _circle(u - gap, v + gap, flash),
            )
            return Hole(u, v, half, half, half * 0.42), holes


def _circle(u: float, v: float, radius: float) -> Hole:
    return Hole(u, v, radius, radius, radius)
