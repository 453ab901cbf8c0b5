"""What is wrong with a part: how many flaws, of which kinds, where, how strong."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from deploy.demo.casings.camera import FIELD_MM
from deploy.demo.casings.defects import LABELS, Defect, Dent, Discoloration, PitMark, Scratch
from deploy.demo.casings.part import Part
from deploy.demo.casings.surface import body, distance_to

STAINS: Final = (
    (-0.05, -0.13, -0.30),  # oil, rust water: towards brown
    (-0.26, -0.16, -0.04),  # heat: towards blue
    (-0.20, -0.20, -0.19),  # residue: darker
    (0.17, 0.16, 0.14),  # bleached dye, etched: paler
    (-0.06, -0.20, -0.13),  # dye bath: towards magenta
)


def draw_defects(rng: np.random.Generator, part: Part, *, leading: str) -> tuple[Defect, ...]:
    """At least one flaw of the `leading` label where the part has room for it, and often others."""
    placed: list[Defect] = []
    for label in (leading, *rng.choice(LABELS, int(rng.choice(4, p=[0.5, 0.28, 0.15, 0.07])))):
        if label == "pit_mark":
            _place_pits(rng, part, placed)
        else:
            _place(rng, part, placed, label=str(label))
    return tuple(placed)


def _place(rng: np.random.Generator, part: Part, placed: list[Defect], *, label: str) -> None:
    for _ in range(80):
        defect = _draw(rng, part, *_spot(rng, part), label=label)
        if _fits(part, defect, placed):
            placed.append(defect)
            return


def _place_pits(rng: np.random.Generator, part: Part, placed: list[Defect]) -> None:
    """One pit, or a group of up to five within a few millimetres."""
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.45, 0.2, 0.17, 0.1, 0.08]))
    u, v = _spot(rng, part)
    for attempt in range(60):
        if attempt < 25 and not any(isinstance(defect, PitMark) for defect in placed):
            u, v = _spot(rng, part)
        spread = 0.0 if count == 1 else 4.0
        pit = _pit(rng, part, u + float(rng.normal(0, spread)), v + float(rng.normal(0, spread)))
        if _fits(part, pit, placed):
            placed.append(pit)
            count -= 1
        if count == 0:
            return


def _spot(rng: np.random.Generator, part: Part) -> tuple[float, float]:
    """A point of the part that its station sees with a margin."""
    half_u = min(0.42 * FIELD_MM[0] / part.station.zoom, part.length / 2)
    half_v = min(0.42 * FIELD_MM[1] / part.station.zoom, part.width / 2)
    return part.station.along * part.length + float(rng.uniform(-half_u, half_u)), float(rng.uniform(-half_v, half_v))


def _fits(part: Part, defect: Defect, placed: list[Defect]) -> bool:
    """Whether it lies on plain metal, in view, clear of the other flaws."""
    spine = defect.spine()
    u, v, radius = (np.array(column, dtype=np.float32) for column in zip(*spine, strict=True))
    if (distance_to(u, v, body(part)) > -(radius * 0.8 + part.edge + 0.6)).any():
        return False
    obstacles = part.holes if part.plateau is None else (part.plateau,)
    if any((distance_to(u, v, hole) < radius * 0.8 + 1.6).any() for hole in obstacles):
        return False
    half_u, half_v = 0.46 * FIELD_MM[0] / part.station.zoom, 0.46 * FIELD_MM[1] / part.station.zoom
    if (np.abs(u - part.station.along * part.length) > half_u).any() or (np.abs(v) > half_v).any():
        return False
    others = (circle for other in placed for circle in other.spine())
    return all(((u - ou) ** 2 + (v - ov) ** 2 > (radius + other + 0.8) ** 2).all() for ou, ov, other in others)


def _draw(rng: np.random.Generator, part: Part, u: float, v: float, *, label: str) -> Defect:
    match label:
        case "scratch":
            return _scratch(rng, part, u, v)
        case "dent":
            return _dent(rng, part, u, v)
        case "pit_mark":
            return _pit(rng, part, u, v)
        case "discoloration":
            return _discoloration(rng, part, u, v)
    raise ValueError(f"unknown defect label {label!r}; known: {', '.join(LABELS)}")


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _scratch(rng: np.random.Generator, part: Part, u: float, v: float) -> Scratch:
    beside = int(rng.choice(4, p=[0.6, 0.2, 0.12, 0.08]))
    return Scratch(
        u=u,
        v=v,
        angle=float(rng.uniform(0, math.pi)),
        length=float(np.clip(rng.lognormal(2.75, 0.5), 5, 46)) / part.station.zoom**0.35,
        bow=float(rng.normal(0, 0.05)),
        width=float(rng.uniform(0.07, 0.22)),
        strength=float(rng.uniform(0.5, 1.15)),
        companions=tuple(
            (float(rng.uniform(0.35, 1.1) * rng.choice([-1, 1])), float(rng.uniform(0.25, 0.7))) for _ in range(beside)
        ),
        least=float(rng.uniform(13, 26)),
        seed=_seed(rng),
    )


def _dent(rng: np.random.Generator, part: Part, u: float, v: float) -> Dent:
    return Dent(
        u=u,
        v=v,
        radius=float(rng.uniform(1.3, 4.2)) / part.station.zoom**0.3,
        stretch=float(rng.uniform(1.0, 1.7)),
        angle=float(rng.uniform(0, math.pi)),
        depth=float(rng.uniform(0.08, 0.30)),
        skew=float(rng.uniform(-0.3, 0.3)),
        least=float(rng.uniform(13, 28)),
        seed=_seed(rng),
    )


def _pit(rng: np.random.Generator, part: Part, u: float, v: float) -> PitMark:
    return PitMark(
        u=u,
        v=v,
        radius=float(np.clip(rng.lognormal(-0.55, 0.35), 0.3, 1.2)) / part.station.zoom**0.3,
        darkness=float(rng.uniform(0.5, 1.5)),
        least=float(rng.uniform(24, 38)),
        seed=_seed(rng),
    )


def _discoloration(rng: np.random.Generator, part: Part, u: float, v: float) -> Discoloration:
    tint = np.asarray(STAINS[int(rng.integers(len(STAINS)))]) * rng.uniform(0.6, 1.35)
    return Discoloration(
        u=u,
        v=v,
        radius=float(rng.uniform(3.5, 9.5)) / part.station.zoom**0.3,
        stretch=float(rng.uniform(1.0, 1.8)),
        angle=float(rng.uniform(0, math.pi)),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        ring=float(rng.uniform(0.15, 0.5)) if rng.random() < 0.4 else 0.0,
        least=float(rng.uniform(8, 15)),
        seed=_seed(rng),
    )
