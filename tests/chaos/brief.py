"""`celery -A tests.chaos.brief`: the real worker, whose recipe `fast` takes seconds instead of a minute."""

from dataclasses import replace

from config.celery import app
from training.vision import recipes

__all__ = ["app"]

# A part is handed out a few times in each training, so that there is something to go on from.
recipes.RECIPES["fast"] = replace(
    recipes.FAST, long_side=128, finest_stride=8, views=1, pyramid_channels=16, tower_depth=1, steps=90,
    fine_steps=0, batch_images=4, checkpoint_steps=20, folds=2,
)  # fmt: skip
