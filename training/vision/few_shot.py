"""Recipe `fast`, from checked images to a trained model."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from training.vision.artifacts import Trained
from training.vision.augmentation import View, choose_views, move_boxes, render_view
from training.vision.backbones import Backbone, load_backbone, load_graph
from training.vision.checkpoints import Checkpoint
from training.vision.cutting import cut_examples
from training.vision.examples import Example, Image, read_pixels
from training.vision.features import LEAST_VIEWS, FeatureCache, Features, input_size, tiling_of
from training.vision.graph import PREPROCESSING, HeadSpec, build_head_graph, head_spec
from training.vision.image_recipes import ImageRecipe
from training.vision.predictions import Prediction
from training.vision.recipes import Recipe
from training.vision.sessions import FeatureSession, HeadSession, PairedDetector
from training.vision.train import (
    FeatureLesson,
    OnProgress,
    ShouldStop,
    Stopped,
    TrainView,
    match_anchors,
    train_lesson,
)
from training.vision.tuning import build_tuned, store_tuned
from training.vision.weights import restore_weights

OnFeatures = Callable[[int, int], None]  # views done, views in all


class Sessions:
    """The shared graphs of a backbone by the first block that they leave to models, opened at their first use."""

    def __init__(self, backbone: Backbone, folder: Path) -> None:
        self._backbone, self._folder = backbone, folder
        self._lock = threading.Lock()
        self._opened: dict[int, FeatureSession] = {}

    def open(self, tuned_from: int) -> FeatureSession:
        """Raises WrongWeights where the graph is not prepared."""
        with self._lock:
            if tuned_from not in self._opened:
                self._opened[tuned_from] = FeatureSession(load_graph(self._backbone, self._folder, tuned_from))
            return self._opened[tuned_from]


@dataclass(frozen=True)
class Workbench:
    """What every training of one backbone shares: its graphs, and the features computed so far.

    `threads` says how many views, and how many trainings, are computed side by side, each on one core. Results do not
    depend on it.
    """

    backbone: Backbone
    sessions: Sessions
    cache: FeatureCache
    threads: int

    @property
    def session(self) -> FeatureSession:
        """The whole backbone's."""
        return self.sessions.open(0)


def open_workbench(
    backbone: str, backbone_folder: Path, cache_folder: Path, *, cache_bytes: int, threads: int = 1
) -> Workbench:
    """Load what prepare_backbone left in `backbone_folder`, and open the cache."""
    loaded = load_backbone(backbone, backbone_folder)
    cache = FeatureCache(cache_folder, cache_bytes, loaded.sha256)
    return Workbench(loaded, Sessions(loaded, backbone_folder), cache, threads)


def train_fast(
    examples: Sequence[Example],
    classes: Sequence[str],
    recipe: Recipe,
    seed: int,
    *,
    workbench: Workbench,
    views: Sequence[TrainView],
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train on the prepared views of the examples, by a settled recipe; raises what train_lesson raises."""
    trained = describe_trained(examples, classes, recipe, seed, workbench=workbench)
    tuned = build_tuned(workbench.backbone.module, trained.heads, len(classes), seed)
    average = train_lesson(
        FeatureLesson(tuned, views, recipe, seed), recipe=recipe, fingerprint=trained.fingerprint,
        on_progress=on_progress, should_stop=should_stop, checkpoint=checkpoint,
    )  # fmt: skip
    return trained.with_weights(store_tuned(tuned, average, workbench.backbone.module, recipe.tuned_rank))


def describe_trained(
    examples: Sequence[Example], classes: Sequence[str], recipe: Recipe, seed: int, *, workbench: Workbench
) -> Trained:
    """All of a model but its weights, by a settled recipe."""
    backbone = workbench.backbone
    return Trained(
        weights={}, classes=list(classes), heads=head_spec(recipe), long_side=recipe.long_side,
        tiling=tiling_of(recipe),
        backbone=backbone.name, backbone_sha256=backbone.sha256, recipe=recipe.to_json(), seed=seed,
        fingerprint=fingerprint_run(examples, classes, recipe, seed=seed, backbone=backbone.sha256),
    )  # fmt: skip


def prepare_views(
    examples: Sequence[Example],
    recipe: Recipe,
    workbench: Workbench,
    *,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
) -> list[list[TrainView]]:
    """Put the features of every view into the cache; return the views of each example, which read them when learnt.

    Views do not depend on the run's seed: runs of one project share their features.
    """
    parts = cut_examples(examples, tiling_of(recipe), workbench.cache.folder / "tiles")
    count = max(LEAST_VIEWS, recipe.views * len(parts) // sum(map(len, parts)))
    prepared = [
        [view for part in own for view in _choose_views(number, part, recipe, workbench, count=count)]
        for number, own in enumerate(parts)
    ]

    every = [view for own in prepared for view in own]

    def compute(view: TrainView) -> None:
        if should_stop and should_stop():
            raise Stopped(0)
        view.load()

    with ThreadPoolExecutor(workbench.threads) as pool:
        for done, _ in enumerate(pool.map(compute, every), start=1):
            if on_features:
                on_features(done, len(every))
    return prepared


def _choose_views(
    number: int, example: Example, recipe: Recipe, workbench: Workbench, *, count: int
) -> Iterator[TrainView]:
    size = input_size(example, recipe)
    for view in choose_views(example.sha256, seed=0, count=count, variety=recipe.variety):
        boxes, kept = move_boxes(example.boxes, view, example.height, example.width, size)
        load = _FeatureLoader(example, view, size, head_spec(recipe), workbench)
        yield TrainView(number, size, boxes, example.classes[kept], match_anchors(boxes, size, recipe), load)


@dataclass(frozen=True)
class _FeatureLoader:
    example: Example
    view: View
    size: tuple[int, int]
    heads: HeadSpec
    workbench: Workbench

    def __call__(self) -> Features:
        taken = f"{self.heads.finest};{self.heads.tuned_from}"
        preprocessing = f"{PREPROCESSING};{self.view.key()};{self.size[0]}x{self.size[1]};{taken}"
        return self.workbench.cache.fetch(self.example.sha256, preprocessing, self._compute)

    def _compute(self) -> Features:
        pixels = render_view(self.example.pixels(), self.view)
        features = self.workbench.sessions.open(self.heads.tuned_from).extract(pixels, self.size)
        return [features[name][0].astype(np.float16) for name in self.heads.parts(self.workbench.backbone.module)]


def predict_images(
    trained: Trained, images: Sequence[Image], workbench: Workbench, *, should_stop: ShouldStop | None = None
) -> list[Prediction]:
    """What the served pair of graphs answers for each image. Raises Stopped when told to stop."""
    graph = build_head_graph(trained.heads, workbench.backbone.module)
    features = workbench.sessions.open(trained.heads.tuned_from)
    detector = PairedDetector(features, HeadSession(graph.SerializeToString()))
    weights = restore_weights(trained.weights)

    def check() -> None:
        if should_stop and should_stop():
            raise Stopped(0)

    found = []
    for image in images:
        check()
        found.append(detector.predict(read_pixels(image), weights, trained.long_side, trained.tiling, check))
    return found


def fingerprint_run(
    examples: Sequence[Example], classes: Sequence[str], recipe: Recipe | ImageRecipe, *, seed: int, backbone: str
) -> str:
    """SHA-256 of everything that decides the weights."""
    facts: Mapping[str, object] = {
        "examples": [[e.sha256, e.boxes.tolist(), e.classes.tolist()] for e in examples],
        "classes": list(classes),
        "recipe": recipe.to_json(),
        "seed": seed,
        "backbone": backbone,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
