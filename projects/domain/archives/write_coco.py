"""COCO: one `annotations.json`, and the images in a folder beside it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from projects.domain.archives.layouts import Layout
from projects.domain.archives.write_sidecar import own_group
from projects.domain.coco import annotations_of, categories_of
from projects.domain.manifests import Manifest, canonical

ANNOTATIONS: Final = "annotations.json"
FOLDER: Final = "images"


def coco_layout(manifest: Manifest, *, names: Sequence[str]) -> Layout:
    """Boxes as they are, to the bit. An image without annotations was found good."""
    document = {
        "info": {"description": "Myriad snapshot"},
        "licenses": [],
        "categories": categories_of(manifest.classes),
        "images": list(_images(manifest, names)),
        "annotations": list(annotations_of(manifest.images)),
    }
    return Layout(tuple(f"{FOLDER}/{name}" for name in names), [(ANNOTATIONS, canonical(document))])


def _images(manifest: Manifest, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, (image, name) in enumerate(zip(manifest.images, names, strict=True), start=1):
        yield {
            "id": number,
            "file_name": name,
            "width": image.width,
            "height": image.height,
            "split": image.split,
            "group": own_group(image),
            "metadata": image.metadata,
        }
