"""Views of an image: mirrored and cropped variants, decided by a hash of the image, so that they can be cached."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from training.vision.examples import Pixels
from training.vision.recipes import Variety

LEAST_VISIBLE = 0.4  # a box cut to less of its area is dropped: too little of the defect is left to learn from


@dataclass(frozen=True)
class View:
    """A crop in fractions of the image (x1, y1, x2, y2), then mirrored left-right and upside down as told.

    Values are stretched about their mean by `contrast`, then moved by `brightness`, of 0 to 255.
    """

    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    mirror_x: bool = False
    mirror_y: bool = False
    contrast: float = 1.0
    brightness: float = 0.0

    def key(self) -> str:
        numbers = (*self.crop, self.contrast, self.brightness)
        return ",".join(f"{number:.4f}" for number in numbers) + f",{int(self.mirror_x)},{int(self.mirror_y)}"


def choose_views(image_sha256: str, *, seed: int, count: int, variety: Variety) -> list[View]:
    """Return `count` views: the plain image, its mirrorings where allowed, then views at random."""
    plain = [View()]
    if variety.flips:
        plain += [View(mirror_x=True), View(mirror_y=True), View(mirror_x=True, mirror_y=True)]
    views = plain[:count]
    for index in range(len(views), count):
        digest = sha256(f"{seed}:{image_sha256}:{index}".encode()).digest()
        rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
        views.append(draw_view(rng, variety))
    return views


def draw_view(rng: np.random.Generator, variety: Variety) -> View:
    """A crop at random, mirrored and relit at random where that is allowed."""
    sides = np.full(2, rng.uniform(variety.smallest_crop, 1.0))
    sides = np.minimum(sides * np.exp(rng.uniform(-variety.stretch, variety.stretch, 2)), 1.0)
    x1, y1 = rng.uniform(0.0, 1.0 - sides)
    mirror_x, mirror_y = (bool(value) and variety.flips for value in rng.integers(0, 2, 2))
    contrast, brightness = rng.uniform(-variety.relighting, variety.relighting, 2)
    # Rounded as the key prints them: equal keys are equal views.
    edges = (x1, y1, x1 + sides[0], y1 + sides[1])
    return View(
        (round(float(edges[0]), 4), round(float(edges[1]), 4), round(float(edges[2]), 4), round(float(edges[3]), 4)),
        mirror_x, mirror_y, round(float(np.exp(contrast)), 4), round(float(255 * 0.4 * brightness), 4),
    )  # fmt: skip


def render_view(pixels: Pixels, view: View) -> Pixels:
    """Cut the view out of (H, W, 3) pixels, at least one pixel each way; not resized."""
    left, top, right, bottom = _crop_edges(view, *pixels.shape[:2])
    cut = pixels[top:bottom, left:right]
    cut = cut[:, ::-1] if view.mirror_x else cut
    cut = cut[::-1] if view.mirror_y else cut
    return np.ascontiguousarray(_relight(cut, view))


def _relight(pixels: Pixels, view: View) -> Pixels:
    """By a table of the 256 values: no copy in floating point of what may be a large photograph."""
    if view.contrast == 1.0 and view.brightness == 0.0:
        return pixels
    mean = float(pixels.mean())
    table = (np.arange(256) - mean) * view.contrast + mean + view.brightness
    relit: Pixels = np.clip(np.round(table), 0, 255).astype(np.uint8)[pixels]
    return relit


def move_boxes(
    boxes: npt.NDArray[np.float32], view: View, height: int, width: int, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Boxes in pixels of the rendered view resized to `size` (height, width), and which of the given ones are left."""
    left, top, right, bottom = _crop_edges(view, height, width)
    limits = np.array([right - left, bottom - top] * 2, np.float32)
    moved = np.clip(boxes - np.array([left, top] * 2, np.float32), 0, limits)
    areas, before = _areas(moved), _areas(boxes)
    kept = areas >= LEAST_VISIBLE * np.maximum(before, 1e-9)
    if view.mirror_x:
        moved[:, [0, 2]] = limits[0] - moved[:, [2, 0]]
    if view.mirror_y:
        moved[:, [1, 3]] = limits[1] - moved[:, [3, 1]]
    scale = np.array([size[1], size[0]] * 2, np.float32) / limits
    return (moved * scale)[kept].astype(np.float32), kept


def _crop_edges(view: View, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels."""
    left = min(int(view.crop[0] * width), width - 1)
    top = min(int(view.crop[1] * height), height - 1)
    right = max(round(view.crop[2] * width), left + 1)
    bottom = max(round(view.crop[3] * height), top + 1)
    return left, top, right, bottom


def _areas(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)
