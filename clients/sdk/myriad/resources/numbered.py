"""Things that a project counts: snapshots, runs and models have a number there beside their id."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from myriad.errors import NotFound, ValidationFailed


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


NumberedT = TypeVar("NumberedT", bound=Numbered)


def find_numbered(
    given: str,
    *,
    what: str,
    get: Callable[[str], NumberedT],
    listed: Callable[[], Iterable[NumberedT]] | None,
) -> NumberedT:
    """Give what has this id or, where `listed` gives the project's, this number.

    Raises `NotFound` if there is none and `ValidationFailed` for a number without a project.
    """
    digits = given.removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        return get(given)
    if listed is None:
        raise ValidationFailed(
            f"{given} is a {what}'s number, which each project counts for itself.",
            code="no_project",
            hint="Name the project too (--project), or give the id.",
        )
    for item in listed():
        if item.number == int(digits):
            return item
    raise NotFound(
        f"The project has no {what} number {digits}.",
        hint=f"`myriad {what} list --project P` shows those there are.",
    )
