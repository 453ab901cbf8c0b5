"""What a format's zip holds besides images: what the three writers return."""

from collections.abc import Iterable
from dataclasses import dataclass


class CannotBeWritten(Exception):
    """The format has no way to say this; the message says what, and the hint what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Layout:
    """Where each image goes, in the manifest's order, and the text files (path, bytes), to be asked for once."""

    paths: tuple[str, ...]
    texts: Iterable[tuple[str, bytes]]
