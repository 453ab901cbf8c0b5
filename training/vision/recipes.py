"""Named, versioned training settings. A change of any value is a new version: runs of old versions must stay true."""

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Variety:
    """How views differ from their image: bounds of what is drawn."""

    smallest_crop: float  # side, in fractions of the image
    flips: bool
    stretch: float = 0.0  # each side longer or shorter by up to exp(stretch)
    relighting: float = 0.0  # contrast up to exp(± relighting), brightness up to ± 0.4 relighting of the range


@dataclass(frozen=True)
class Recipe:
    """How a detector is trained. Sizes are in pixels of the resized image unless said otherwise."""

    name: str
    version: int
    backbone: str = "efficientnet_lite0"  # its first blocks are never trained: one resident graph serves every model
    tuned_from: int = 0  # the first block of it that is trained; 0: none is
    tuned_rank: int = 12  # of what is stored of a tuned convolution's move; more is larger and truer
    backbone_rate: float = 0.0  # peak learning rate of those blocks
    caches_views: bool = True  # views are drawn once and their features kept; else each step draws new ones
    long_side: int = 0  # the longer side of the resized image; 0 picks it from the boxes: smaller boxes, larger image
    tile: int = 0  # side, in pixels of the image, of the tiles it is looked at in; 0: whole; picked with long_side
    tile_overlap: int = 0  # of neighbouring tiles, likewise
    finest_stride: int = 0  # of the pyramid, 8 or 16; 0 picks it from the boxes: level 8 costs most and sees small ones
    views: int = 16  # cached views an image, the plain one included; each costs one backbone pass and disk
    smallest_crop: float = 0.6  # side of the smallest crop in fractions of the image; less zooms in more
    stretch: float = 0.0  # see Variety
    relighting: float = 0.0
    mosaic: float = 0.0  # share of views that are four in one, each at half its size; where views are drawn anew
    flips: bool = True  # mirror views; off where orientation tells classes apart (text, left and right parts)
    pyramid_channels: int = 48  # width of pyramid and heads; parameters grow with its square (budget: 250,000)
    tower_depth: int = 2  # 3 × 3 convolutions before each output
    anchor_scale: float = 4.0  # side of the one square anchor of a cell, in strides
    candidates: int = 9  # cells a level from which a box may take its positives
    steps: int = 450  # optimiser steps; time grows in proportion
    fine_steps: int = 0  # instead, where boxes are small and no block is tuned for them; 0: they make no difference
    batch_images: int = 8  # views a step, at most
    window: int = 256  # side, in pixels, of the part of a view whose finest level is learnt in a step; 0: all of it
    step_cells: int = 8_500  # cells a step, about: large images make smaller batches, not longer trainings
    step_pixels: int = 0  # the same where the backbone is tuned, in pixels of resized images
    learning_rate: float = 3e-3  # peak of the one-cycle schedule
    weight_decay: float = 0.1  # decoupled; a few images overfit without it
    warmup_fraction: float = 0.15  # of the steps, before the peak
    ema_decay: float = 0.99  # published weights average about 1 / (1 - decay) steps; more than the steps would lag
    clip_norm: float = 10.0  # longest gradient; one bad box must not undo the rest
    box_weight: float = 2.0  # of the box loss against the classification loss
    quality: bool = True  # classification learns how well the box fits instead of 1; ranks good boxes first
    score_threshold: float = 0.02  # lower scores are not returned; evaluation needs low ones, customers set their own
    nms_iou: float = 0.5  # boxes of a class that overlap more are one
    folds: int = 3  # of the out-of-fold evaluation; each costs one training
    checkpoint_steps: int = 100  # at most so many steps are lost when a worker dies

    @property
    def variety(self) -> Variety:
        return Variety(self.smallest_crop, self.flips, self.stretch, self.relighting)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


FAST = Recipe(
    name="fast", version=2, tuned_from=7, backbone_rate=5e-4, stretch=0.15, relighting=0.2, fine_steps=1_800
)  # fmt: skip
FULL = Recipe(
    name="full", version=2, tuned_from=3, tuned_rank=16, backbone_rate=1.5e-4, learning_rate=1.5e-3, weight_decay=0.05,
    caches_views=False, views=1, stretch=0.2, relighting=0.2, mosaic=0.5, pyramid_channels=64, steps=1_800,
    batch_images=4, window=0,
    step_pixels=4 * 256 * 256, warmup_fraction=0.1, ema_decay=0.995,
)  # fmt: skip
AUTO = Recipe(name="auto", version=1)  # stands for one of the others: see choosing.py
RECIPES = {recipe.name: recipe for recipe in (FAST, FULL, AUTO)}


class UnknownRecipe(ValueError):
    """No recipe of that name, or a setting that it does not have."""


def find_recipe(name: str, **changes: object) -> Recipe:
    """Return the named recipe, with settings changed for an ablation or a test."""
    if name not in RECIPES:
        raise UnknownRecipe(f"no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    try:
        return replace(RECIPES[name], **changes)  # type: ignore[arg-type]  # checked by replace at run time
    except TypeError as error:
        raise UnknownRecipe(str(error)) from error
