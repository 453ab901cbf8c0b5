"""What the person at the terminal sees: every part's lines after its name; of engines, complaints only."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

COLOURS = (36, 33, 32, 35, 34, 31)
WIDTH = 10

# Engines tell of every step; all of it is in their log files.
_COMPLAINTS = {
    "postgres": re.compile(r"\b(WARNING|ERROR|FATAL|PANIC):(?!  the database system is (starting up|shutting down))"),
    "valkey": re.compile(r"# (Fatal|FATAL|Failed|Error|Can't|Could not|Out Of Memory)|\*\*\*"),
    "s3": re.compile(r"^[EF]\d{4} "),
}


@dataclass
class _Followed:
    name: str
    path: Path
    position: int
    shown: Callable[[str], object]
    rest: str = ""


class Console:
    """Follows log files and prints their new lines at each `tick`."""

    def __init__(self, output: TextIO = sys.stdout) -> None:
        self._output = output
        self._colour = output.isatty()
        self._followed: dict[str, _Followed] = {}

    def follow(self, name: str, path: Path) -> None:
        """From the file's present end on. Following it already is no harm."""
        if name not in self._followed:
            position = path.stat().st_size if path.exists() else 0
            complaint = _COMPLAINTS.get(name)
            self._followed[name] = _Followed(name, path, position, complaint.search if complaint else bool)

    def forget(self, name: str) -> None:
        self._followed.pop(name, None)

    def tick(self) -> None:
        for followed in self._followed.values():
            for line in self._new_lines(followed):
                if followed.shown(line):
                    self.say(line, name=followed.name)

    def say(self, text: str, *, name: str = "stack") -> None:
        names = list(self._followed)
        prefix = f"{name:<{WIDTH}}|"
        if self._colour:
            colour = COLOURS[names.index(name) % len(COLOURS)] if name in names else 1
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        try:
            for line in text.splitlines():
                self._output.write(f"{prefix} {line}\n")
            self._output.flush()
        except (BrokenPipeError, ValueError):
            pass  # nobody reads any more; the log files have it all

    def _new_lines(self, followed: _Followed) -> list[str]:
        try:
            with followed.path.open("rb") as file:
                file.seek(followed.position)
                data = file.read()
        except FileNotFoundError:
            return []
        followed.position += len(data)
        *lines, followed.rest = (followed.rest + data.decode("utf-8", "replace")).split("\n")
        return lines
