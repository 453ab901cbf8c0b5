"""How a run ends: its exit code, and what is said of an error."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import click

from myriad.cli.session import Session, printable
from myriad.errors import (
    Conflict,
    MyriadError,
    NotAuthenticated,
    NotDone,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    Unavailable,
    ValidationFailed,
)


class ExitCode(IntEnum):
    """Stable: scripts decide by them. Documented in the README."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_DONE = 4
    BAD_ARGUMENT = 5
    DENIED = 6
    QUOTA = 7
    UNAVAILABLE = 8
    INTERRUPTED = 130


# The first that fits counts, so that a subclass stands before its parent.
_CODES: tuple[tuple[type[MyriadError], ExitCode], ...] = (
    (QuotaExceeded, ExitCode.QUOTA),
    (NotAuthenticated, ExitCode.DENIED),
    (PermissionDenied, ExitCode.DENIED),
    (NotFound, ExitCode.NOT_FOUND),
    (ValidationFailed, ExitCode.BAD_ARGUMENT),
    (Conflict, ExitCode.BAD_ARGUMENT),
    (NotDone, ExitCode.NOT_DONE),
    (Unavailable, ExitCode.UNAVAILABLE),
)


def exit_code_of(error: MyriadError) -> ExitCode:
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.UNEXPECTED)


def tell(session: Session, error: MyriadError) -> None:
    """Say what happened, what to do, and the request's id; with --json also as the document of the answer."""
    if session.as_json:
        document: dict[str, Any] = {"error": error.to_json()}
        if error.report is not None:
            document["report"] = error.report.to_json()
        session.document(document)
    _line("error: " + error.happened)
    if error.hint:
        _line("  hint: " + error.hint)
    if error.request_id:
        _line("  request: " + error.request_id)


def _line(text: str) -> None:
    click.echo(printable(text.replace("\n", " ")), err=True)
