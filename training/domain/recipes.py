"""The recipes by name, as a customer chooses them. `training.vision.recipes` is plain dataclasses, without torch."""

from dataclasses import dataclass

from projects.models import Project
from tenants.refusals import Invalid
from training.vision import recipes
from training.vision.recipes import Recipe

# What the recipes there are can learn: they all find boxes.
KIND = Project.Kind.DETECTION


@dataclass(frozen=True)
class Choice:
    """A recipe in the words of who chooses it: what it does, and how long it takes."""

    name: str
    title: str
    does: str
    takes: str


_WORDS = {
    "fast": Choice(
        name="fast",
        title="Fast",
        does="Learns to find your defects on top of a network that knows pictures in general, and stays as it is. Each"
        " image is judged by a sibling that has not seen it, so that the figures can be trusted.",
        takes="A few minutes for fifty images on two processor cores; the time grows little with more images.",
    ),
    "full": Choice(
        name="full",
        title="Full",
        does="Trains most of the network on your images too, not only what stands on top: it finds more, above all"
        " where your pictures look like nothing else. Each image is judged by a sibling here as well.",
        takes="A quarter to half an hour on two processor cores; the model is some ten times larger than a fast one's.",
    ),
    "auto": Choice(
        name="auto",
        title="Auto",
        does="Takes Fast or Full, by how many images show a defect, how small the defects are, and what computes; the"
        " model says which, and why.",
        takes="As long as the one it takes.",
    ),
}


def choices() -> list[Choice]:
    """The recipes there are, the usual one first; each has its words."""
    return [_WORDS[name] for name in recipes.RECIPES]


def recipe_named(name: str) -> Recipe:
    """Raises Invalid when there is none of that name."""
    try:
        return recipes.find_recipe(name)
    except recipes.UnknownRecipe as error:
        known = ", ".join(sorted(recipes.RECIPES))
        raise Invalid("recipe", f"There is no recipe {name!r}.", hint=f"Choose one of: {known}.") from error


def backbones() -> list[str]:
    """Those that any recipe is built on."""
    return sorted({recipe.backbone for recipe in recipes.RECIPES.values()})
