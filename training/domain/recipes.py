"""The recipes by name, as a customer chooses them. `training.vision.recipes` is plain dataclasses, without torch."""

from projects.models import Project
from tenants.refusals import Invalid
from training.vision import recipes
from training.vision.recipes import Recipe

# What the recipes there are can learn: they all find boxes.
KIND = Project.Kind.DETECTION


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
