"""Sixty photographs for the demo: generated casings, or real images from a COCO folder."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.casings import write_coco
from deploy.demo.stack import DemoFailed

COUNT, HELD_OUT = 60, 10
# Fewer give nothing to learn from and to be judged on.
FEWEST = 4


@dataclass(frozen=True)
class Photographs:
    """What the project is called, the files to send, the names of their classes, and the COCO file that describes them.

    `learned` and `held_out` are the names, in the COCO file, of those that are labelled and of those that the model is
    shown afterwards.
    """

    title: str
    files: list[Path]
    classes: list[str]
    coco: Path
    learned: list[str]
    held_out: list[str]


def casings(folder: Path) -> Photographs:
    """Generates the casings into `folder`."""
    write_coco(folder, count=COUNT, seed=0)
    return from_coco(folder)


def from_coco(folder: Path) -> Photographs:
    """At most 60 images of a COCO folder (`annotations.json` and `images/`), drawn with a fixed seed.

    Raises DemoFailed when the folder is not one, or has fewer than 4 images.
    """
    coco = folder / "annotations.json"
    try:
        described = json.loads(coco.read_text(encoding="utf-8"))
        images = {image["file_name"]: image for image in described["images"]}
        classes = [category["name"] for category in described.get("categories", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DemoFailed(f"{folder} is not a COCO folder: {type(error).__name__}: {error}") from error
    root = folder / "images" if (folder / "images").is_dir() else folder
    found = [name for name in sorted(images) if (root / name).is_file()]
    if len(found) < FEWEST:
        there = f"{len(found)} of the {len(images)} images named in annotations.json are there"
        raise DemoFailed(f"{folder}: {there}; {FEWEST} are needed")
    chosen = found if len(found) <= COUNT else random.Random(0).sample(found, COUNT)  # noqa: S311 - which ones to show
    learned, held_out = divide([images[name] for name in chosen])
    title = folder.resolve().name.capitalize()
    return Photographs(title, [root / name for name in sorted(chosen)], classes, coco, learned, held_out)


def divide(images: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Names to learn from and, at least one in six, names to be judged on; photographs of one part stay together."""
    wanted = HELD_OUT if len(images) == COUNT else max(1, len(images) // 6)
    parts: dict[str, list[str]] = {}
    for image in images:
        parts.setdefault(str(image.get("group") or image["file_name"]), []).append(image["file_name"])
    order = sorted(parts)
    random.Random(1).shuffle(order)  # noqa: S311 - which ones to show
    held_out: list[str] = []
    for part in order:
        if len(held_out) + len(parts[part]) <= wanted:
            held_out += parts[part]
    learned = [image["file_name"] for image in images if image["file_name"] not in set(held_out)]
    return sorted(learned), sorted(held_out)
