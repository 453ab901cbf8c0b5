"""What is learnt from: decoded images and their boxes, checked before any compute is spent on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
HASHED_BYTES = 4 << 20  # at a time
Image = Pixels | Path  # decoded RGB (H, W, 3), or the path of an .npy file that holds it


class BadExample(ValueError):
    """An image or box cannot be used; `image` is its index, `box` the box's index or None."""

    def __init__(self, reason: str, *, image: int, box: int | None = None) -> None:
        where = f"image {image}" if box is None else f"image {image}, box {box}"
        super().__init__(f"{where}: {reason}")
        self.image, self.box, self.reason = image, box, reason


class NothingToLearn(ValueError):
    """The examples are well-formed, but no detector can be trained from them."""


@dataclass(frozen=True)
class Annotation:
    """The accepted boxes of one image.

    `boxes` is (n, 4) as x1, y1, x2, y2 in image pixels, `classes` (n,) indexes the class list. Images of one `group`
    (a part, a board) never end up on both sides of an evaluation; None means the image is its own group.
    """

    boxes: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    classes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    group: str | None = None


@dataclass(frozen=True)
class Example:
    """A checked image: `boxes` lie inside it, `sha256` is of its pixels, and `group` is never empty."""

    image: Image
    sha256: str
    height: int
    width: int
    boxes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    group: str

    def pixels(self) -> Pixels:
        return read_pixels(self.image)


def read_pixels(image: Image) -> Pixels:
    """Return (H, W, 3) uint8; a path must be an .npy file: bytes of customers are decoded elsewhere, in a sandbox.

    A file is mapped, not read: fifty photographs of 12 megapixels are 1.8 GB.
    """
    if isinstance(image, Path):
        if image.suffix != ".npy":
            raise ValueError(f"{image.name}: decode images first; only .npy is read here")
        return np.asarray(np.load(image, mmap_mode="r", allow_pickle=False))
    return image


def check_examples(
    images: Sequence[Image], annotations: Sequence[Annotation], class_count: int, *, needs_box: bool = True
) -> list[Example]:
    """Check every image and box; boxes are clipped to their image, the rest is refused with what is wrong.

    Raises BadExample for what cannot be meant (inverted, not finite, wholly outside, unknown class, an image that is
    not RGB uint8) and NothingToLearn where there is no image, or, if it `needs_box`, no class or box.
    """
    if len(images) != len(annotations):
        raise ValueError(f"{len(images)} images but {len(annotations)} annotations")
    if not images or (needs_box and class_count < 1):
        raise NothingToLearn("add images and at least one class")
    examples = [
        _check_example(index, image, annotation, class_count)
        for index, (image, annotation) in enumerate(zip(images, annotations, strict=True))
    ]
    if needs_box and not any(len(example.boxes) for example in examples):
        raise NothingToLearn("no image has a box: mark at least one defect")
    return _join_identical(examples)


def _check_example(index: int, image: Image, annotation: Annotation, class_count: int) -> Example:
    pixels = read_pixels(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise BadExample(f"expected RGB uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}", image=index)
    height, width = pixels.shape[:2]
    digest = _hash_pixels(pixels)
    boxes = np.asarray(annotation.boxes, np.float32).reshape(-1, 4)
    classes = np.asarray(annotation.classes, np.int64).reshape(-1)
    if len(boxes) != len(classes):
        raise BadExample(f"{len(boxes)} boxes but {len(classes)} classes", image=index)
    for number, (box, class_index) in enumerate(zip(boxes, classes, strict=True)):
        reason = _box_fault(box, int(class_index), width, height, class_count)
        if reason:
            raise BadExample(reason, image=index, box=number)
    limits = np.array([width, height, width, height], np.float32)
    group = annotation.group or f"sha256:{digest}"
    return Example(image, digest, height, width, np.clip(boxes, 0, limits), classes, group)


def _hash_pixels(pixels: Pixels) -> str:
    """SHA-256 of size and pixels, in strips."""
    height, width = pixels.shape[:2]
    digest = sha256(f"{height}x{width}:".encode())
    rows = max(1, HASHED_BYTES // (3 * width))
    for top in range(0, height, rows):
        digest.update(np.ascontiguousarray(pixels[top : top + rows]).data)
    return digest.hexdigest()


def _box_fault(box: npt.NDArray[np.float32], class_index: int, width: int, height: int, class_count: int) -> str:
    x1, y1, x2, y2 = (float(value) for value in box)
    if not np.isfinite(box).all():
        return "box is not finite"
    if x2 <= x1 or y2 <= y1:
        return f"box {x1:g}, {y1:g}, {x2:g}, {y2:g} is inverted or empty"
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        return f"box {x1:g}, {y1:g}, {x2:g}, {y2:g} lies outside the {width} × {height} image"
    if not 0 <= class_index < class_count:
        return f"class {class_index} is unknown"
    return ""


def _join_identical(examples: list[Example]) -> list[Example]:
    """Put groups that share an identical image into one, so that no copy is on the other side of an evaluation."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for example in examples:
        parent[root(example.group)] = root(f"sha256:{example.sha256}")
    return [Example(**{**vars(example), "group": root(example.group)}) for example in examples]
