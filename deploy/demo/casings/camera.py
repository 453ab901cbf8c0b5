"""Where the camera stands, and what lens and sensor make of the light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.demo.casings.noise import Plane, blobs, white
from deploy.demo.casings.part import Part

FIELD_MM = (174.0, 130.5)
"""What a station of zoom 1 sees at 4:3."""


@dataclass(frozen=True)
class Pose:
    """A plane photographed from nearly above."""

    to_part: npt.NDArray[np.float64]
    """3 × 3 homography, image pixels to millimetres of the part."""
    scale: float
    """Pixels a millimetre at the centre."""
    rotation: float
    """Of the part in the image, radians."""

    def grid(self, size: tuple[int, int]) -> tuple[Plane, Plane]:
        """u and v under the centre of each pixel of an image of `size` (width, height)."""
        x, y = np.arange(size[0]) + 0.5, (np.arange(size[1]) + 0.5)[:, None]
        m = self.to_part
        depth = m[2, 0] * x + m[2, 1] * y + m[2, 2]
        u = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / depth
        v = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / depth
        return u.astype(np.float32), v.astype(np.float32)

    def locate(self, u: float, v: float) -> tuple[float, float]:
        """Pixel position of a point of the part."""
        x, y, depth = np.linalg.solve(self.to_part, np.array([u, v, 1.0]))
        return float(x / depth), float(y / depth)


@dataclass(frozen=True)
class Exposure:
    """Settings of one shot, after the light."""

    gain: tuple[float, float, float]
    """Exposure times white balance."""
    vignette: float
    vignette_u: float
    vignette_v: float


def draw_pose(rng: np.random.Generator, part: Part, size: tuple[int, int]) -> Pose:
    """The part as it lies under its station's camera: a few degrees askew, a few millimetres off."""
    width, height = size
    upright = height > width
    field = FIELD_MM[::-1] if upright else FIELD_MM
    scale = part.station.zoom * min(width / field[0], height / field[1]) * float(rng.uniform(0.96, 1.02))
    angle = math.radians(float(np.clip(rng.normal(0, 1.6), -4, 4))) + (math.pi / 2 if upright else 0.0)
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    at_u = part.station.along * part.length + float(rng.normal(0, 1.2))
    at_v = float(rng.normal(0, 1.5))
    lean_x, lean_y = rng.normal(0, 0.022, 2) / np.array([width, height])
    place = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    place[:2, 2] = -place[:2, :2] @ np.array([at_u, at_v])
    lean = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [lean_x, lean_y, 1.0]])
    centre = np.array([[1.0, 0.0, width / 2], [0.0, 1.0, height / 2], [0.0, 0.0, 1.0]])
    return Pose(to_part=np.linalg.inv(centre @ lean @ place), scale=scale, rotation=angle)


def meter(rng: np.random.Generator, part: Part, linear: Plane, cover: Plane) -> Exposure:
    """Exposure such that the casing comes out at a believable brightness: dark dyes stay darker than bare metal."""
    weight = cover[::4, ::4] + 1e-6
    seen = float((linear[::4, ::4].mean(axis=2) * weight).sum() / weight.sum())
    target = (0.045 + 0.34 * (sum(part.colour) / 3) ** 0.62) * float(rng.uniform(0.78, 1.2))
    if part.shift == "night":
        target *= 0.85
    warm, green = float(rng.normal(0, 0.035)), float(rng.normal(0, 0.012))
    level = target / max(seen, 1e-4)
    u, v = rng.normal(0, 0.12, 2)
    return Exposure(
        gain=(level * (1 + warm), level * (1 + green), level * (1 - warm)),
        vignette=float(rng.uniform(0.10, 0.38)),
        vignette_u=float(u),
        vignette_v=float(v),
    )


def falloff(exposure: Exposure, size: tuple[int, int]) -> Plane:
    """Light lost towards the corners, as a factor (height, width)."""
    x = np.linspace(-1, 1, size[0], dtype=np.float32) - exposure.vignette_u
    y = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None] - exposure.vignette_v
    result: Plane = 1 / (1 + exposure.vignette * (x * x + y * y))
    return result


def develop(linear: Plane, exposure: Exposure, vignette: Plane) -> Plane:
    """Linear light to display values 0 to 1: exposure, a soft shoulder, the sRGB curve."""
    light = linear * (np.asarray(exposure.gain, np.float32) * vignette[..., None])
    knee = 0.62
    over = np.maximum(light - knee, 0)
    light = np.minimum(light, knee) + over / (1 + over / (1 - knee))
    result: Plane = np.maximum(1.055 * np.power(np.maximum(light, 1e-6), (1 / 2.4)) - 0.055, 12.92 * 1e-6)
    return result


def expose_sensor(rng: np.random.Generator, part: Part, display: Plane) -> npt.NDArray[np.uint8]:
    """What the sensor delivers of a developed picture: lens blur, in-camera sharpening, noise, 8 bits."""
    size = max(display.shape[:2])
    sigma = float(rng.uniform(0.45, 0.75)) * part.station.focus * max(size / 640, 0.35)
    picture = blur(display, sigma)
    if rng.random() < 0.5:
        picture += 0.35 * (picture - blur(picture, 1.1))
    level = float(rng.uniform(1.1, 2.3)) * part.station.noise * (1.3 if part.shift == "night" else 1.0) / 255
    strength = level * (1.25 - 0.6 * np.clip(picture, 0, 1))
    picture += strength * 0.85 * white(rng, display.shape[:2])[..., None]
    picture += strength * 0.6 * white(rng, display.shape)
    for channel in range(3):  # colour noise of a demosaiced sensor is coarser than a pixel
        picture[..., channel] += level * 0.35 * blobs(rng, (display.shape[0], display.shape[1]), cell=3)
    result: npt.NDArray[np.uint8] = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return result


def blur(picture: Plane, sigma: float) -> Plane:
    """Gaussian blur of (height, width, channels), borders repeated."""
    reach = max(1, math.ceil(2.5 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(0, 0)] * picture.ndim
        pad[axis] = (reach, reach)
        wide = np.pad(picture, pad, mode="edge")
        length = picture.shape[axis]
        parts = [wide[i : i + length] if axis == 0 else wide[:, i : i + length] for i in range(2 * reach + 1)]
        picture = sum((tap * piece for tap, piece in zip(taps[1:], parts[1:], strict=True)), taps[0] * parts[0])
    return picture
