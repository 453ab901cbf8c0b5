"""Sixty photographs for the demo: generated casings, or real images from a COCO folder."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.casings import write_coco
from deploy.demo.stack import DemoFailed

COUNT = 60


@dataclass(frozen=True)
class Photographs:
    """Files to send, the names of their classes, and the COCO file that describes them."""

    files: list[Path]
    classes: list[str]
    coco: Path


def casings(folder: Path) -> Photographs:
    """Generates the casings into `folder`."""
    write_coco(folder, count=COUNT, seed=0)
    return from_coco(folder)


def from_coco(folder: Path) -> Photographs:
    """At most 60 images of a COCO folder (`annotations.json` and `images/`), drawn with a fixed seed.

    Raises DemoFailed when the folder is not one.
    """
    coco = folder / "annotations.json"
    try:
        described = json.loads(coco.read_text(encoding="utf-8"))
        names = sorted(image["file_name"] for image in described["images"])
        classes = [category["name"] for category in described.get("categories", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DemoFailed(f"{folder} is not a COCO folder: {type(error).__name__}: {error}") from error
    root = folder / "images" if (folder / "images").is_dir() else folder
    found = [root / name for name in names if (root / name).is_file()]
    if not found:
        raise DemoFailed(f"{folder}: none of the {len(names)} images named in annotations.json is there")
    chosen = found if len(found) <= COUNT else random.Random(0).sample(found, COUNT)  # noqa: S311 - which ones to show
    return Photographs(files=sorted(chosen), classes=classes, coco=coco)
