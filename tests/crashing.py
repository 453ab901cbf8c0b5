"""Breaking work off at a line: what tests of crashes share."""

from dataclasses import dataclass
from typing import Any

import pytest


class Killed(BaseException):
    """Ends an attempt as SIGKILL would: no handler runs, no state is written."""


@dataclass(frozen=True)
class Line:
    """A call of the code under test, before or after which it is broken off."""

    owner: Any
    name: str
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'}-{self.name}"


def break_once(monkeypatch: pytest.MonkeyPatch, line: Line, error: BaseException) -> None:
    """The first call of that line raises, before it did its work or after."""
    original, left = getattr(line.owner, line.name), [error]

    def call(*args: Any, **kwargs: Any) -> Any:
        if not left:
            return original(*args, **kwargs)
        if line.after:
            original(*args, **kwargs)
        raise left.pop()

    monkeypatch.setattr(line.owner, line.name, call)
