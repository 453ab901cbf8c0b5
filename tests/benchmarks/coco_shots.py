"""Few images of a COCO folder to learn from, many to be judged on, look-alikes on one side."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from training.vision.examples import Annotation


@dataclass(frozen=True)
class Picture:
    """An image of the folder; `boxes` are rows of class index, x, y, width, height."""

    path: Path
    boxes: list[list[float]]
    group: str

    def annotation(self) -> Annotation:
        rows = np.array(self.boxes, np.float64).reshape(-1, 5)
        corners = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1).astype(np.float32)
        return Annotation(corners, rows[:, 0].astype(np.int64), self.group)

    def decode(self, folder: Path) -> Path:
        """Write the pixels, upright and RGB, as .npy, the way a run gets them."""
        target = folder / f"{self.path.stem}.npy"
        with Image.open(self.path) as image:
            np.save(target, np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
        return target


def read_folder(folder: Path) -> tuple[list[Picture], list[str]]:
    """Pictures and class names of `folder`/annotations.json and `folder`/images."""
    document = json.loads((folder / "annotations.json").read_text())
    index_of = {category["id"]: index for index, category in enumerate(document["categories"])}
    boxes: dict[Any, list[list[float]]] = {image["id"]: [] for image in document["images"]}
    for box in document["annotations"]:
        boxes[box["image_id"]].append([index_of[box["category_id"]], *box["bbox"]])
    pictures = [
        Picture(_find(folder, image["file_name"]), boxes[image["id"]], _group(image)) for image in document["images"]
    ]
    return pictures, [category["name"] for category in document["categories"]]


def deal(pictures: Sequence[Picture], *, shots: int, most: int, seed: int) -> tuple[list[Picture], list[Picture]]:
    """`shots` pictures to learn from, each showing the class seen least so far, and up to `most` others of no group
    among them. At most half of the groups are learnt from, where those have pictures enough."""
    rng = np.random.default_rng(seed)
    pool = [pictures[index] for index in rng.permutation(len(pictures))]
    most_groups = max(1, len({picture.group for picture in pictures}) // 2)
    seen: Counter[int] = Counter(dict.fromkeys({int(row[0]) for picture in pictures for row in picture.boxes}, 0))
    learnt: list[Picture] = []
    groups: set[str] = set()
    while len(learnt) < shots and pool:
        known = [picture for picture in pool if picture.group in groups]
        chosen = _show_rarest(known if len(groups) >= most_groups and known else pool, seen)
        pool.remove(chosen)
        learnt.append(chosen)
        groups.add(chosen.group)
        seen.update({int(row[0]) for row in chosen.boxes})
    return learnt, [picture for picture in pool if picture.group not in groups][:most]


def _show_rarest(pool: Sequence[Picture], seen: Counter[int]) -> Picture:
    """The first that shows the class seen least, or the next; the first of all where none shows any."""
    for kind in sorted(seen, key=lambda class_index: (seen[class_index], class_index)):
        for picture in pool:
            if any(row[0] == kind for row in picture.boxes):
                return picture
    return pool[0]


def _find(folder: Path, name: str) -> Path:
    return folder / "images" / name if (folder / "images" / name).exists() else folder / name


def _group(image: dict[str, Any]) -> str:
    return str(image.get("group") or image.get("position") or f"image {image['id']}")
