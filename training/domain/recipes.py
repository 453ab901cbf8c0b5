"""The recipes by name, as a customer chooses them. Those of `training.vision` are plain dataclasses, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from projects.models import Project
from tenants.refusals import Invalid, Refusal
from training.vision.image_recipes import IMAGE_RECIPES, ImageRecipe
from training.vision.recipes import RECIPES, Recipe


class RecipeNotForKind(Refusal):
    code = "recipe_not_for_kind"
    title = "The recipe is not for this kind of project"

    def __init__(self, recipe: str, kind: str) -> None:
        known = " or ".join(f"'{name}'" for name in recipes_of(kind))
        super().__init__(
            f"The recipe {recipe!r} learns to find boxes; this project's kind is {kind}.",
            hint=f"Start the run with {known}, which learns what a whole image shows.",
        )


@dataclass(frozen=True)
class Choice:
    """A recipe in the words of who chooses it: what it does, and how long it takes."""

    name: str
    title: str
    does: str
    takes: str


_DETECTION = {
    "fast": Choice(
        name="fast",
        title="Fast",
        does="Learns to find your defects on top of a network that knows pictures in general, of which only the last"
        " part is adjusted. Each image is judged by a sibling that has not seen it: its figures can be trusted.",
        takes="A few minutes for fifty images on two processor cores; the time grows little with more images.",
    ),
    "full": Choice(
        name="full",
        title="Full",
        does="Trains most of the network on your images too, not only what stands on top: it finds more, above all"
        " where your pictures look like nothing else. Each image is judged by a sibling here as well.",
        takes="Ten minutes to half an hour on two processor cores.",
    ),
    "auto": Choice(
        name="auto",
        title="Auto",
        does="Takes Fast or Full, by how many images show a defect, how small the defects are, and what computes; the"
        " model says which, and why.",
        takes="As long as the one it takes.",
    ),
}


_SECONDS = "Less than a minute for a hundred images on two processor cores."
_WORDS: Mapping[str, Mapping[str, Choice]] = {
    Project.Kind.DETECTION: _DETECTION,
    Project.Kind.CLASSIFICATION: {
        "fast": Choice(
            name="fast",
            title="Fast",
            does="Learns to tell your classes, and good parts, from each other on top of a network that knows pictures"
            " in general, and stays as it is. Each image is judged by a sibling that has not seen it.",
            takes=_SECONDS,
        ),
    },
    Project.Kind.ANOMALY: {
        "fast": Choice(
            name="fast",
            title="Fast",
            does="Learns from your good parts alone what good looks like, and from which score on a part is taken for"
            " defective. Images with a defect are not learned from: they tell how well defects are noticed.",
            takes=_SECONDS,
        ),
    },
}


def recipes_of(kind: str) -> Mapping[str, Recipe | ImageRecipe]:
    """The recipes that a project of this kind can be learnt by, by name, the usual one first."""
    if kind == Project.Kind.DETECTION:
        return RECIPES
    return {name: recipe for (its, name), recipe in IMAGE_RECIPES.items() if its == kind}


def choices(kind: str) -> list[Choice]:
    """The recipes for projects of this kind, the usual one first; each has its words."""
    return [_WORDS[kind][name] for name in recipes_of(kind)]


def recipe_named(name: str, *, kind: str) -> Recipe | ImageRecipe:
    """Raises Invalid when there is none of that name, RecipeNotForKind when it is for other kinds."""
    known = recipes_of(kind)
    if name in known:
        return known[name]
    if name in RECIPES:
        raise RecipeNotForKind(name, kind)
    raise Invalid("recipe", f"There is no recipe {name!r}.", hint=f"Choose one of: {', '.join(sorted(known))}.")


def backbones() -> list[str]:
    """Those that any recipe is built on."""
    return sorted({recipe.backbone for kind in Project.Kind for recipe in recipes_of(kind).values()})
