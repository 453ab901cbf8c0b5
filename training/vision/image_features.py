"""What the kinds that judge a whole image learn from: descriptions of images by the frozen backbone, kept on disk."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.vision.examples import Example
from training.vision.features import Features
from training.vision.few_shot import OnFeatures, Workbench
from training.vision.graph import PREPROCESSING
from training.vision.image_graphs import build_description_graph
from training.vision.image_recipes import ImageRecipe
from training.vision.image_sessions import ImageHeadSession
from training.vision.sessions import network_size
from training.vision.train import ShouldStop, Stopped

_FORMAT = "image-description-1"  # part of every cache key: change it with what the description graph computes
SMALL_IMAGE, SIDE_STEP, MOST_STEPS = 384, 128, 2  # pixels, pixels, steps


@dataclass(frozen=True)
class Description:
    """`pooled` (D,) says what the whole image shows, `cells` (C, n) each place; image_graphs tells of both."""

    pooled: npt.NDArray[np.float16]
    cells: npt.NDArray[np.float16]


Load = Callable[[], Description]


def settle_image_recipe(recipe: ImageRecipe, examples: Sequence[Example]) -> ImageRecipe:
    """The recipe with the size chosen that it leaves to the images."""
    return replace(recipe, long_side=recipe.long_side or choose_image_side(examples, recipe.base_side))


def choose_image_side(examples: Sequence[Example], base_side: int) -> int:
    """Longer side, in pixels, to which images are resized: `base_side` for images of up to 384 pixels (median of the
    longer sides), 128 more for images of up to 768, and 256 more beyond.

    The backbone learnt on pictures of 224 pixels: of a larger one it sees finer marks, and less of what they are on.
    """
    longest = float(np.median([max(example.height, example.width) for example in examples]))
    steps = next((step for step in range(MOST_STEPS) if longest <= SMALL_IMAGE << step), MOST_STEPS)
    return base_side + SIDE_STEP * steps


def prepare_descriptions(
    examples: Sequence[Example],
    recipe: ImageRecipe,
    workbench: Workbench,
    *,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
) -> list[Load]:
    """Put the description of every example into the cache, by a settled recipe; return what reads them."""
    graph = build_description_graph(workbench.backbone.module).SerializeToString()
    session = ImageHeadSession(graph)
    loads = [_Load(example, recipe.long_side, workbench, session) for example in examples]

    def compute(load: _Load) -> None:
        if should_stop and should_stop():
            raise Stopped(0)
        load()

    with ThreadPoolExecutor(workbench.threads) as pool:
        for done, _ in enumerate(pool.map(compute, loads), start=1):
            if on_features:
                on_features(done, len(loads))
    return list(loads)


@dataclass(frozen=True)
class _Load:
    example: Example
    long_side: int
    workbench: Workbench
    session: ImageHeadSession

    def __call__(self) -> Description:
        height, width = self._size()
        preprocessing = f"{PREPROCESSING};{_FORMAT};{height}x{width}"
        return Description(*self.workbench.cache.fetch(self.example.sha256, preprocessing, self._compute))

    def _compute(self) -> Features:
        features = self.workbench.session.extract(self.example.pixels(), self._size())
        found = self.session.answer(features, {})
        return [found[name].astype(np.float16) for name in ("pooled", "cells")]

    def _size(self) -> tuple[int, int]:
        return network_size(self.example.height, self.example.width, self.long_side)
