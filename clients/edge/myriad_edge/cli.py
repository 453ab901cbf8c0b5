"""The command `myriad-edge`."""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from myriad_edge.archives import MANIFEST, MODEL
from myriad_edge.bundle import Bundle, read_bundle
from myriad_edge.describing import describe
from myriad_edge.errors import BadInput
from myriad_edge.files import ENDINGS, Watcher
from myriad_edge.inspector import Inspector
from myriad_edge.pace import Pace, say
from myriad_edge.results import DRAWN, LINES, open_results
from myriad_edge.stopping import Stop
from myriad_edge.version import __version__
from myriad_edge.watching import inspect_once, watch
from myriad_edge.work import Work

BAD_INPUT, FAILED = 2, 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 something unexpected, 2 bad input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a class's name is no reason to fail on any terminal
    given = _parser().parse_args(arguments)
    try:
        given.command(given)
    except BadInput as error:
        say(f"myriad-edge: {error.message}\n{error.hint}")
        sys.exit(BAD_INPUT)
    except OSError as error:  # the disk is full, or went away
        say(f"myriad-edge: {error}\nLook at the disk and its space; started again, it goes on where it was.")
        sys.exit(FAILED)


def check(given: argparse.Namespace) -> None:
    """Check a bundle on this device, and say what its model is."""
    bundle, inspector = _checked(given)
    for line in describe(bundle.manifest, inspector):
        print(line)


def run(given: argparse.Namespace) -> None:
    """Check a bundle, then inspect the images of a folder."""
    stop = Stop()
    stop.listen()
    folder: Path = given.folder
    out: Path = given.out or folder / "results"
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.", "Name the folder that the images come into.")
    if folder.resolve() == (out / DRAWN).resolve():
        raise BadInput(f"The drawn images would come into {folder} itself.", "Name another folder with --out.")
    bundle, inspector = _checked(given)
    with open_results(out) as results:
        pace = Pace()
        work = Work(folder, bundle.manifest, inspector, results, pace)
        watcher = Watcher(folder, settle=given.settle, is_done=results.has_version)
        say(f"Inspecting {folder}; results come to {out / LINES}, which has {len(results)} so far.")
        (inspect_once if given.once else watch)(watcher, work, stop)
        pace.tell("Ended as asked" if stop.asked else "Done")


def _checked(given: argparse.Namespace) -> tuple[Bundle, Inspector]:
    bundle = read_bundle(given.bundle)
    return bundle, Inspector(bundle, threads=given.threads or _processors(), threshold=given.threshold)


def _processors() -> int:
    """How many this process may use, which in a container are fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="myriad-edge", description="Runs an exported model of Myriad on this device.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    checking = commands.add_parser("check", help="check a bundle on this device, and say what its model is")
    running = commands.add_parser("run", help="check a bundle, then inspect the images of a folder")
    for command, function in ((checking, check), (running, run)):
        command.set_defaults(command=function)
        command.add_argument("bundle", type=Path, metavar="BUNDLE", help=f"folder or .zip with {MANIFEST} and {MODEL}")
        command.add_argument(
            "--threads", type=_count, metavar="N", help="threads that compute an image (default: a processor each)"
        )
        command.add_argument(
            "--threshold", type=_number, metavar="X", help="instead of the bundle's own: least score that is told"
        )
    running.add_argument("folder", type=Path, metavar="DIR", help=f"images: {', '.join(sorted(ENDINGS))}")
    running.add_argument("--out", type=Path, metavar="FOLDER", help="where results go (default: DIR/results)")
    running.add_argument("--once", action="store_true", help="inspect what is there, and end")
    running.add_argument(
        "--settle", type=_seconds, default=1.0, metavar="S",
        help="seconds for which a file must not change before it is read (default: 1)",
    )  # fmt: skip
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError("must be from 1 to 256")
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError("must be a finite number")
    return number


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("must be from 0 to 3600")
    return seconds
