"""Recipe `fast`, from images to a trained model: what a run executes and what the benchmark measures."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from training.vision.artifacts import Trained
from training.vision.augmentation import View, choose_views, move_boxes, render_view
from training.vision.backbones import Backbone, load_backbone
from training.vision.examples import Annotation, Example, Image, check_examples, read_pixels
from training.vision.features import FeatureCache, Features, choose_long_side
from training.vision.graph import PREPROCESSING, build_backbone_graph, build_head_graph
from training.vision.recipes import Recipe
from training.vision.sessions import (
    FeatureSession,
    HeadSession,
    PairedDetector,
    Prediction,
    network_size,
    widen_weights,
)
from training.vision.train import OnProgress, ShouldStop, Stopped, TrainView, train_detector

OnFeatures = Callable[[int, int], None]  # views done, views in all


@dataclass(frozen=True)
class Workbench:
    """What every training of one backbone shares: its graph, and the features computed so far."""

    backbone: Backbone
    session: FeatureSession
    cache: FeatureCache
    threads: int


def open_workbench(
    backbone: str, weights_folder: Path, cache_folder: Path, *, cache_bytes: int, threads: int = 1
) -> Workbench:
    """Load the backbone's converted weights and open its cache; `threads` is for the graphs, torch has its own."""
    loaded = load_backbone(backbone, weights_folder)
    session = FeatureSession(build_backbone_graph(loaded).SerializeToString(), threads)
    return Workbench(loaded, session, FeatureCache(cache_folder, cache_bytes, loaded.sha256), threads)


def train_fast(
    images: Sequence[Image],
    annotations: Sequence[Annotation],
    classes: Sequence[str],
    recipe: Recipe,
    seed: int,
    *,
    workbench: Workbench,
    long_side: int | None = None,
    on_progress: OnProgress | None = None,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Train pyramid and heads on cached views of the images.

    Raises BadExample and NothingToLearn before computing anything, and what train_detector raises.
    """
    examples = check_examples(images, annotations, len(classes))
    side = long_side or recipe.long_side or choose_long_side(examples)
    fingerprint = fingerprint_run(
        examples, classes, recipe, seed=seed, long_side=side, backbone=workbench.backbone.sha256
    )
    views = prepare_views(examples, recipe, side, workbench, on_features=on_features, should_stop=should_stop)
    weights = train_detector(
        views, recipe=recipe, inputs=workbench.backbone.module.channels, classes=len(classes), seed=seed,
        fingerprint=fingerprint, on_progress=on_progress, should_stop=should_stop, checkpoint=checkpoint,
    )  # fmt: skip
    return Trained(
        weights, list(classes), recipe, seed, side, workbench.backbone.name, workbench.backbone.sha256, fingerprint
    )


def prepare_views(
    examples: Sequence[Example],
    recipe: Recipe,
    long_side: int,
    workbench: Workbench,
    *,
    on_features: OnFeatures | None = None,
    should_stop: ShouldStop | None = None,
) -> list[TrainView]:
    """Put the features of every view into the cache; return the views, which read them back when they are learnt."""
    prepared = []
    for number, example in enumerate(examples):
        size = network_size(example.height, example.width, long_side)
        # Views do not depend on the run's seed: runs of one project share their features.
        views = choose_views(
            example.sha256, seed=0, count=recipe.views, smallest_crop=recipe.smallest_crop, flips=recipe.flips
        )
        for index, view in enumerate(views):
            if should_stop and should_stop():
                raise Stopped(0)
            load = _FeatureLoader(example, view, size, workbench)
            load()
            boxes, kept = move_boxes(example.boxes, view, example.height, example.width, size)
            prepared.append(TrainView(number, size, boxes, example.classes[kept], load))
            if on_features:
                on_features(number * len(views) + index + 1, len(examples) * len(views))
    return prepared


@dataclass(frozen=True)
class _FeatureLoader:
    example: Example
    view: View
    size: tuple[int, int]
    workbench: Workbench

    def __call__(self) -> Features:
        preprocessing = f"{PREPROCESSING};{self.view.key()};{self.size[0]}x{self.size[1]}"
        return self.workbench.cache.fetch(self.example.sha256, preprocessing, self._compute)

    def _compute(self) -> Features:
        pixels = render_view(self.example.pixels(), self.view)
        return [feature[0].astype(np.float16) for feature in self.workbench.session.extract(pixels, self.size)]


def predict_images(trained: Trained, images: Sequence[Image], workbench: Workbench) -> list[Prediction]:
    """What the served pair of graphs answers for each image."""
    graph = build_head_graph(trained.head_spec(), workbench.backbone.module.channels, trained.weights)
    detector = PairedDetector(workbench.session, HeadSession(graph.SerializeToString(), workbench.threads))
    weights = widen_weights(trained.weights)
    return [detector.predict(read_pixels(image), weights, trained.long_side) for image in images]


def fingerprint_run(
    examples: Sequence[Example],
    classes: Sequence[str],
    recipe: Recipe,
    *,
    seed: int,
    long_side: int,
    backbone: str,
) -> str:
    """SHA-256 of everything that decides the weights."""
    facts: Mapping[str, object] = {
        "examples": [[e.sha256, e.boxes.tolist(), e.classes.tolist()] for e in examples],
        "classes": list(classes),
        "recipe": recipe.to_json(),
        "seed": seed,
        "long_side": long_side,
        "backbone": backbone,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
