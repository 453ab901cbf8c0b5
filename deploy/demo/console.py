"""What the demo says, and how it shows that something takes a while."""

import sys

from myriad.cli.progress import Meter


def say(line: str) -> None:
    print(f"demo: {line}", flush=True)


def meter(*, every: float = 0.5) -> Meter:
    """A line rewritten on a terminal, elsewhere a line `every` so many seconds; on standard error."""
    return Meter(sys.stderr, live=sys.stderr.isatty(), every=every)
