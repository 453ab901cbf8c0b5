"""From (seed, index) to a photograph with exact boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from deploy.demo.casings.camera import (
    Exposure,
    Pose,
    develop,
    draw_pose,
    expose_sensor,
    falloff,
    meter,
)
from deploy.demo.casings.clutter import lay_support, soil
from deploy.demo.casings.damage import draw_defects
from deploy.demo.casings.defects import LABELS, Defect
from deploy.demo.casings.light import Light, draw_light, shade
from deploy.demo.casings.noise import Plane
from deploy.demo.casings.part import Part, draw_part
from deploy.demo.casings.surface import Surface, build_surface

MIN_SIDE, MAX_SIDE = 32, 4096
MIN_BOX = 3
BLOCK, GOOD_IN_BLOCK = 18, 4  # 22 % of the parts are flawless, whatever the seed


@dataclass(frozen=True)
class Box:
    """A labelled defect: left, top, width and height in pixels of the image, COCO's way."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Casing:
    """One photograph. `metadata["group"]` is the part's serial: two photographs of one part share it."""

    image: Image.Image
    boxes: tuple[Box, ...]
    metadata: dict[str, str | int | float]


@dataclass(frozen=True)
class _Shot:
    """All that decides a photograph but its noise."""

    part: Part
    pose: Pose
    light: Light
    exposure: Exposure
    vignette: Plane


def generate(*, seed: int, index: int, size: tuple[int, int] = (640, 480), damaged: bool = True) -> Casing:
    """Photograph number `index` of the series `seed`, of `size` (width, height) in pixels.

    The same arguments give the same bytes, whichever other photographs were made. `damaged=False` gives the same
    shot of the same part before anything happened to it, without boxes.
    Raises ValueError for a negative seed or index and for a side outside 32 … 4096 pixels.
    """
    _check(seed=seed, index=index, size=size)
    lead = _lead(seed, index)
    part_stream, flaw_stream, support_stream = _streams(seed, 1, lead, count=3)
    pose_stream, light_stream, soil_stream, meter_stream, sensor_stream = _streams(seed, 2, index, count=5)
    part = draw_part(part_stream, number=lead)
    leading = _leading_label(seed, lead)
    defects = draw_defects(flaw_stream, part, leading=leading) if leading and damaged else ()

    pose = draw_pose(pose_stream, part, size)
    light = draw_light(light_stream, part, rotation=pose.rotation)
    u, v = pose.grid(size)
    support = lay_support(support_stream, part, u=u, v=v, scale=pose.scale)
    surface = build_surface(part, u=u, v=v, scale=pose.scale, support=support, lamp=light.lamp)
    soil(soil_stream, surface)
    linear = shade(surface, light, part)
    exposure = meter(meter_stream, part, linear, surface.cover)
    vignette = falloff(exposure, size)
    display = develop(linear, exposure, vignette)
    shot = _Shot(part=part, pose=pose, light=light, exposure=exposure, vignette=vignette)
    boxes = tuple(box for defect in defects if (box := _inflict(shot, surface, display, defect)))
    pixels = expose_sensor(sensor_stream, part, display)
    return Casing(image=Image.fromarray(pixels), boxes=boxes, metadata=_metadata(part))


def _check(*, seed: int, index: int, size: tuple[int, int]) -> None:
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must not be negative, got seed {seed} and index {index}")
    if len(size) != 2 or not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise ValueError(f"size must be (width, height), each {MIN_SIDE} to {MAX_SIDE} pixels, got {size}")


def _streams(*key: int, count: int) -> list[np.random.Generator]:
    """Independent generators, so that a change in how one stage draws leaves the others as they were."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(key).spawn(count)]


def _lead(seed: int, index: int) -> int:
    """First photograph of the part that `index` shows: in three of ten pairs both show one part."""
    pair = index // 2
    shared = np.random.default_rng((seed, 3, pair)).random() < 0.3
    return pair * 2 if shared else index


def _leading_label(seed: int, lead: int) -> str | None:
    """None for a good part. Dealt like cards, block by block, so that small sets come out balanced too."""
    block, place = divmod(lead, BLOCK)
    card = int(np.random.default_rng((seed, 4, block)).permutation(BLOCK)[place])
    return None if card < GOOD_IN_BLOCK else LABELS[card % len(LABELS)]


def _inflict(shot: _Shot, surface: Surface, display: Plane, defect: Defect) -> Box | None:
    """Damage the surface, develop that part of the picture anew, and box what changed visibly.

    None where the defect lies outside the picture. A flaw too faint to be seen is deepened until it shows.
    """
    rows, columns = _frame(shot, defect, display)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    window, before = surface.window(rows, columns), display[rows, columns].copy()
    mark = defect.mark(window)
    sound = (window.tilt_u.copy(), window.tilt_v.copy(), window.albedo.copy())
    strength = 1.0
    for _ in range(4):
        window.tilt_u[...] = sound[0] + strength * mark.tilt_u
        window.tilt_v[...] = sound[1] + strength * mark.tilt_v
        window.albedo[...] = np.minimum(sound[2] * np.exp(strength * mark.gain), 0.98)
        after = develop(shade(window, shot.light, shot.part), shot.exposure, shot.vignette[rows, columns])
        change = np.abs(after - before).max(axis=2) * 255
        peak = float(np.percentile(change, 99.5)) if change.size > 4000 else float(change.max())
        if peak >= defect.least:
            break
        strength *= min(defect.least / max(peak, 0.5) * 1.1, 4.0)
    display[rows, columns] = after
    # Both: what drowns in the noise is not seen, nor is the faint fringe of a strong flaw.
    visible = change > max(2.5, 0.10 * peak)
    if not visible.any():
        return None
    y, tall = _extent(np.flatnonzero(visible.any(axis=1)) + rows.start, limit=display.shape[0])
    x, wide = _extent(np.flatnonzero(visible.any(axis=0)) + columns.start, limit=display.shape[1])
    return Box(label=defect.label, x=float(x), y=float(y), width=float(wide), height=float(tall))


def _frame(shot: _Shot, defect: Defect, display: Plane) -> tuple[slice, slice]:
    """Rows and columns that the defect may touch, cut to the picture."""
    x, y = shot.pose.locate(defect.u, defect.v)
    reach = defect.reach * shot.pose.scale * 1.06 + 4
    height, width = display.shape[:2]
    rows = slice(max(math.floor(y - reach), 0), min(math.ceil(y + reach), height))
    columns = slice(max(math.floor(x - reach), 0), min(math.ceil(x + reach), width))
    return rows, columns


def _extent(touched: npt.NDArray[np.intp], *, limit: int) -> tuple[int, int]:
    """Start and length of the span of `touched`, widened to 3 pixels if need be, within 0 … `limit`."""
    start, stop = int(touched[0]), int(touched[-1]) + 1
    if stop - start < MIN_BOX:
        start = min(max(start - 1, 0), limit - MIN_BOX)
        stop = start + MIN_BOX
    return start, stop - start


def _metadata(part: Part) -> dict[str, str | int | float]:
    return {
        "camera": part.station.number,
        "line": part.line,
        "shift": part.shift,
        "lot": part.lot,
        "finish": part.finish,
        "colour": part.colour_name,
        "serial": part.serial,
        "group": part.serial,
    }
