"""COCO files for the tests of this folder and of the command."""

import json
from pathlib import Path
from typing import Any


def coco_file(folder: Path, boxes: dict[str, list[tuple[str, list[Any]]]], **sizes: tuple[int, int] | None) -> Path:
    """A file of images by name, each with its (category, bbox) pairs; `size` (width, height) is said of every image."""
    categories = list(dict.fromkeys(name for pairs in boxes.values() for name, _ in pairs))
    size = sizes.get("size")
    document: dict[str, Any] = {
        "images": [
            {"id": number, "file_name": name} | ({"width": size[0], "height": size[1]} if size else {})
            for number, name in enumerate(boxes, start=7)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, start=3)],
        "annotations": [],
    }
    for number, pairs in enumerate(boxes.values(), start=7):
        for category, bbox in pairs:
            entry = {"id": len(document["annotations"]), "image_id": number, "bbox": bbox}
            document["annotations"].append(entry | {"category_id": categories.index(category) + 3})
    path = folder / "coco.json"
    path.write_text(json.dumps(document))
    return path
