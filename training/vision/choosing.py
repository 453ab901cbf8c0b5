"""Recipe `auto`: which recipe suits the images, their boxes and the machine, and why, in words for a customer."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.vision.examples import Example
from training.vision.features import choose_long_side
from training.vision.recipes import AUTO, FAST, FULL, Recipe

LEAST_IMAGES = 20  # with boxes; the network's own blocks learn little that is true from fewer
LARGEST_SIDE = 384  # pixels of the resized image; a training's time grows with its square


@dataclass(frozen=True)
class Choice:
    """A recipe, and why it is this one; empty where it was asked for by name."""

    recipe: Recipe
    why: str = ""


def choose_recipe(asked: Recipe, examples: Sequence[Example], *, has_gpu: bool) -> Choice:
    """What `auto` stands for here; any other recipe stands for itself."""
    if asked.name != AUTO.name:
        return Choice(asked)
    marked = sum(len(example.boxes) > 0 for example in examples)
    if marked < LEAST_IMAGES:
        return Choice(
            FAST, f"Fast: {marked} images show a defect, and the network itself needs {LEAST_IMAGES} of them."
        )
    if has_gpu:
        return Choice(FULL, f"Full: {marked} images show a defect, and there is a GPU.")
    long_side = choose_long_side(examples)
    if long_side > LARGEST_SIDE:
        return Choice(
            FAST,
            f"Fast: the defects are small, so pictures are learnt at {long_side} pixels, and without a GPU the"
            " network itself would take hours.",
        )
    return Choice(
        FULL,
        f"Full: {marked} images show a defect, and the defects are large enough to be learnt at {long_side} pixels.",
    )
