"""Features of the frozen backbone, kept on disk: each view goes through the backbone once, however often it is learnt.

They come from the very graph that serves the model, so training sees what prediction will see.
"""

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from training.vision.examples import Example

Features = list[npt.NDArray[np.float16]]  # (C, h, w) at strides 8, 16 and 32
SMALLEST_SIDE, LARGEST_SIDE = 256, 640
WANTED_PIXELS = 24  # of a small box after resizing: three cells of the finest level


class FeatureCache:
    """Files `folder`/{backbone}/{preprocessing}/{image}.safetensors, all together at most `byte_limit` bytes.

    A full cache first drops files that this object never used, in order of name, and then stops storing: results never
    depend on what is cached, and nothing depends on the clock.
    """

    def __init__(self, folder: Path, byte_limit: int, backbone_sha256: str) -> None:
        self._folder, self._limit, self._backbone = folder, byte_limit, backbone_sha256
        self._used: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*.safetensors"))}
        self.bytes_used = sum(self._sizes.values())

    def fetch(self, image_sha256: str, preprocessing: str, compute: Callable[[], Features]) -> Features:
        """Return the stored features, or compute and, where they fit, store them."""
        kind = sha256(preprocessing.encode()).hexdigest()[:32]
        path = self._folder / self._backbone[:32] / kind / f"{image_sha256}.safetensors"
        self._used.add(path)
        if path in self._sizes and path.exists():
            stored = load_file(path)
            return [stored[f"{index}"] for index in range(len(stored))]
        features = compute()
        needed = sum(feature.nbytes for feature in features) + 512  # the header's share
        if self._make_room(needed):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}.partial")
            save_file({f"{index}": feature for index, feature in enumerate(features)}, partial)
            partial.replace(path)  # a run killed here leaves no half file under the real name
            self._sizes[path] = path.stat().st_size
            self.bytes_used += self._sizes[path]
        return features

    def _make_room(self, needed: int) -> bool:
        if needed > self._limit:
            return False
        if self.bytes_used + needed > self._limit:
            for path in [path for path in self._sizes if path not in self._used]:
                self.bytes_used -= self._sizes.pop(path)
                path.unlink(missing_ok=True)
                if self.bytes_used + needed <= self._limit:
                    break
        return self.bytes_used + needed <= self._limit


def choose_long_side(examples: Sequence[Example]) -> int:
    """Longer side, in pixels, to which images are resized so that a small box (lower quartile) keeps WANTED_PIXELS.

    Between 256 and 640 and a multiple of 64.
    """
    relative = [
        float(np.sqrt((box[2] - box[0]) * (box[3] - box[1]))) / max(example.height, example.width)
        for example in examples
        for box in example.boxes
    ]
    if not relative:
        return SMALLEST_SIDE
    wanted = WANTED_PIXELS / max(float(np.quantile(relative, 0.25)), 1e-6)
    return int(min(max(np.ceil(wanted / 64) * 64, SMALLEST_SIDE), LARGEST_SIDE))
