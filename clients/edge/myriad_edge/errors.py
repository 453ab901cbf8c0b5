"""What can be wrong, each with what to do about it: with what the program was given, or with one image."""

from __future__ import annotations


class BadInput(Exception):
    """What was given on the command line cannot be worked with; the program ends with exit code 2."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadImage(Exception):
    """One image cannot be inspected; it gets a line with the error, and the program goes on.

    `message` is a predicate ("is cut short"), to follow the file's name. `may_heal` tells that the file may only be
    unfinished, so that a later look can find it whole.
    """

    def __init__(self, code: str, message: str, hint: str, *, may_heal: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.may_heal = may_heal

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "hint": self.hint}
