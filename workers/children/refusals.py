"""The one exception by which the decoder's code refuses a picture, with what to tell the customer."""

from __future__ import annotations

from projects.domain.decoding import DecodeCode


class Refused(Exception):
    """This file is not taken. ``message`` is a predicate ("is a GIF"), to follow the file's name."""

    def __init__(self, code: DecodeCode, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
