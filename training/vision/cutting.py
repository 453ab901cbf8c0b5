"""What is learnt from large images: tiles that show defects, and as many that do not."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from training.vision.augmentation import LEAST_VISIBLE
from training.vision.examples import Example
from training.vision.tiling import Tile, Tiling, lay_tiles


def cut_examples(examples: Sequence[Example], tiling: Tiling | None, folder: Path) -> list[list[Example]]:
    """The parts of each example that are learnt: the example itself, or tiles, whose pixels are put into `folder`."""
    if tiling is None:
        return [[example] for example in examples]
    folder.mkdir(parents=True, exist_ok=True)
    return [_cut_example(example, tiling, folder) for example in examples]


def _cut_example(example: Example, tiling: Tiling, folder: Path) -> list[Example]:
    """Every tile that shows a defect, and as many others, at least one: where nothing is, nothing is to be found.

    Which others is decided by the image's hash.
    """
    shown: list[tuple[Tile, Example]] = []
    bare: list[tuple[Tile, Example]] = []
    for tile in lay_tiles(example.height, example.width, tiling):
        part = _cut_tile(example, tile, folder)
        (shown if len(part.boxes) else bare).append((tile, part))
    rng = np.random.default_rng(np.frombuffer(bytes.fromhex(example.sha256), np.uint32))
    chosen = rng.permutation(len(bare))[: max(len(shown), 1)]
    kept = [*shown, *(bare[int(index)] for index in chosen)]
    for tile, part in kept:
        if isinstance(part.image, Path) and not part.image.exists():
            np.save(part.image, tile.cut(example.pixels()))
    return [part for _, part in kept]


def _cut_tile(example: Example, tile: Tile, folder: Path) -> Example:
    """The tile as an example; a box of which too little is left in it is none of its."""
    x1, y1, x2, y2 = tile.place
    moved = np.clip(example.boxes, [x1, y1, x1, y1], [x2, y2, x2, y2])
    areas, whole = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (moved, example.boxes))
    kept = areas >= LEAST_VISIBLE * whole
    digest = sha256(f"{example.sha256}:{tile.place}".encode()).hexdigest()
    return replace(
        example,
        image=folder / f"{digest}.npy",
        sha256=digest,
        height=y2 - y1,
        width=x2 - x1,
        boxes=(moved[kept] - np.array([x1, y1, x1, y1])).astype(np.float32),
        classes=example.classes[kept],
    )
