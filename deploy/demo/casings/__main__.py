"""`python -m deploy.demo.casings --count 60 --seed 0 --out DIR [--sheet FILE.png]`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from deploy.demo.casings import Casing, contact_sheet, write_coco

SHEET_LIMIT = 120


def main(arguments: list[str] | None = None) -> int:
    """Write the folder; 0 on success, 2 on arguments that make no sense."""
    options = _parser().parse_args(arguments)
    started, kept, boxes = time.monotonic(), list[Casing](), 0

    def report(done: int, casing: Casing) -> None:
        nonlocal boxes
        boxes += len(casing.boxes)
        if options.sheet and len(kept) < SHEET_LIMIT:
            kept.append(casing)
        _show_progress(done, options.count, boxes)

    try:
        path = write_coco(options.out, count=options.count, seed=options.seed, size=options.size, on_progress=report)
    except ValueError as problem:
        print(f"casings: {problem}", file=sys.stderr)
        return 2
    print(f"{options.count} photographs with {boxes} defects in {time.monotonic() - started:.1f} s: {path}")
    if options.sheet:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(kept).save(options.sheet)
        print(f"contact sheet: {options.sheet}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo.casings",
        description="Draw photographs of smartphone casings with defects, in COCO form.",
    )
    parser.add_argument("--count", type=int, default=60, help="how many photographs (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="which series (default 0)")
    parser.add_argument("--size", type=_size, default=(640, 480), help="WIDTHxHEIGHT in pixels (default 640x480)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write images/ and annotations.json into")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet with the boxes drawn (PNG)")
    return parser


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 640x480")
    return int(match[1]), int(match[2])


def _show_progress(done: int, count: int, boxes: int) -> None:
    """One line that rewrites itself on a terminal; only the last one where the output is a file."""
    if sys.stdout.isatty():
        print(f"\r{done}/{count} photographs, {boxes} defects", end="\n" if done == count else "", flush=True)
    elif done == count:
        print(f"{done}/{count} photographs, {boxes} defects")


if __name__ == "__main__":
    raise SystemExit(main())
