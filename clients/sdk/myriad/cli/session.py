"""What a command works with: the client, and the two ways to answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import click

from myriad.answers import Answer
from myriad.client import Client

AnswerT = TypeVar("AnswerT", bound=Answer)


@dataclass(frozen=True)
class Column:
    """One column of a list for people: its heading, and what of an item stands in it."""

    heading: str
    value: Callable[[Any], Any]


class Session:
    """One run of the command. Answers go to standard output, everything else to standard error."""

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The client of the environment's MYRIAD_URL and MYRIAD_API_KEY, made when it is first needed."""
        if self._client is None:
            self._client = Client()
        return self._client

    def project_id(self, given: str | None) -> str | None:
        """Give the id of the project of this id or name, or None if none is given."""
        return self.client.projects.find(given).id if given else None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def note(self, text: str) -> None:
        """Say something that is no answer, unless told to be quiet."""
        if not self.quiet:
            click.echo(printable(text), err=True)

    def document(self, document: Any) -> None:
        """Print one JSON document on one line. ASCII only, so that no terminal or locale can spoil it."""
        click.echo(json.dumps(document, ensure_ascii=True, separators=(",", ":")))

    def made(self, answer: Answer, text: str, bare: str) -> None:
        """Answer with something just made: `text` for people, `bare` (an id, a secret) if they want it quiet."""
        if self.as_json:
            self.document(answer.raw)
        else:
            click.echo(printable(bare if self.quiet else text))

    def saved(self, document: Mapping[str, Any], text: str, bare: str) -> None:
        """Answer that files were written: which, for programs, for people, or (`bare`) only where."""
        if self.as_json:
            self.document(document)
        else:
            click.echo(printable(bare if self.quiet else text))

    def removed(self, thing_id: str, text: str) -> None:
        """Answer that something is gone."""
        if self.as_json:
            self.document({"id": thing_id, "removed": True})
        elif not self.quiet:
            click.echo(printable(text))

    def shown(self, answer: Answer, lines: Mapping[str, Any]) -> None:
        """Answer with one thing, a line for each of its properties."""
        if self.as_json:
            self.document(answer.raw)
            return
        width = max(len(name) for name in lines)
        for name, value in lines.items():
            click.echo(printable(f"{name.ljust(width)}  {as_text(value)}"))

    def listed(self, items: Iterable[AnswerT], columns: Sequence[Column], *, limit: int) -> None:
        """Answer with a list: a JSON line or a row for each item, at most `limit` of them; 0 means all."""
        some = iter(items)
        taken = islice(some, limit) if limit else some
        if self.as_json:
            for item in taken:
                self.document(item.raw)
        else:
            self._table([[as_text(column.value(item)) for column in columns] for item in taken], columns)
        if limit and next(some, None) is not None:
            self.note(f"There are more than these {limit}; --limit 0 shows all.")

    def table(self, rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
        """Show rows for people below what was shown of a thing."""
        self._table(rows, [Column(heading, str) for heading in columns])

    def _table(self, rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> None:
        if not rows:
            self.note("There are none.")
            return
        table = [[column.heading for column in columns], *rows] if not self.quiet else rows
        widths = [max(len(row[place]) for row in table) for place in range(len(columns))]
        for row in table:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            click.echo(printable("  ".join(cells).rstrip()))


def as_text(value: Any) -> str:
    """Write a value for people: times to the minute where they are, nothing as a dash."""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        return " ".join(f"{key}={as_text(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, (tuple, list)):
        return " ".join(as_text(inner) for inner in value) or "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None or value == "" else str(value)


def printable(text: str) -> str:
    """Escape what a terminal would obey or could not show: file names and messages come from anywhere."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def prepare_streams() -> None:
    """Let nothing that a locale cannot write end the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
