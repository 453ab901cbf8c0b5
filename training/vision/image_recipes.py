"""Named, versioned settings of the kinds of models that judge a whole image. A change of any value is a new version."""

from dataclasses import asdict, dataclass, replace

from training.vision.recipes import UnknownRecipe

CLASSIFICATION, ANOMALY = "CLASSIFICATION", "ANOMALY"


@dataclass(frozen=True)
class ImageRecipe:
    """How a classifier, or a model of good images, is learnt on features of the frozen backbone."""

    name: str
    version: int
    kind: str
    backbone: str = "efficientnet_lite0"
    base_side: int = 256  # longer side of the resized image, in pixels, where images are small
    long_side: int = 0  # the same for these images; 0 picks it from their sizes
    components: int = 128  # of the subspace of good places, at most
    cells_a_component: int = 8  # fewer components where there are not so many places for each
    folds: int = 5  # of the out-of-fold evaluation; each costs one training
    inner_folds: int = 5  # within a training: what settles the penalty, the calibration and the threshold
    false_alarms: float = 0.05  # share of good images that may be called anomalous

    def to_json(self) -> dict[str, object]:
        return asdict(self)


_FAST = {
    CLASSIFICATION: ImageRecipe(name="fast", version=1, kind=CLASSIFICATION),
    ANOMALY: ImageRecipe(name="fast", version=1, kind=ANOMALY, base_side=320, components=256, folds=3),
}
IMAGE_RECIPES = {(recipe.kind, recipe.name): recipe for recipe in _FAST.values()}


def find_image_recipe(kind: str, name: str, **changes: object) -> ImageRecipe:
    """Return the kind's recipe of that name, with settings changed for an ablation or a test.

    Raises UnknownRecipe.
    """
    if (kind, name) not in IMAGE_RECIPES:
        known = ", ".join(sorted(known for its, known in IMAGE_RECIPES if its == kind))
        raise UnknownRecipe(f"no recipe {name!r} of kind {kind}; there are: {known or 'none'}")
    try:
        return replace(IMAGE_RECIPES[kind, name], **changes)  # type: ignore[arg-type]  # checked by replace at run time
    except TypeError as error:
        raise UnknownRecipe(str(error)) from error
