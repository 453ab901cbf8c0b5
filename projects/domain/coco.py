"""A snapshot as a COCO file, as pycocotools and every training tool reads it. The same manifest, the same bytes."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from projects.domain.manifests import Manifest, ManifestClass, ManifestImage, canonical


def to_coco(manifest: Manifest, *, manifest_sha256: str) -> bytes:
    """Ids count from 1, in the manifest's order; a file name that repeats in the project gets a number."""
    document = {
        "info": {"description": "Myriad snapshot", "project": str(manifest.project), "manifest": manifest_sha256},
        "licenses": [],
        "categories": categories_of(manifest.classes),
        "images": list(_images(manifest.images)),
        "annotations": list(annotations_of(manifest.images)),
    }
    return canonical(document)


def distinct_names(names: Iterable[str]) -> list[str]:
    """The names, those that came before with a number: `a.jpg`, `a (2).jpg`. A name that is taken so is passed over."""
    given = list(names)
    taken, seen = set(given), set[str]()
    distinct = []
    next_number: dict[str, int] = {}
    for name in given:
        chosen = name
        if name in seen:
            number = next_number.get(name, 2)
            while (chosen := _numbered(name, number)) in taken:
                number += 1
            next_number[name] = number + 1
        seen.add(name)
        taken.add(chosen)
        distinct.append(chosen)
    return distinct


def _numbered(name: str, number: int) -> str:
    path = PurePosixPath(name)
    return f"{name.removesuffix(path.suffix)} ({number}){path.suffix}"


def _images(images: Iterable[ManifestImage]) -> Iterator[dict[str, Any]]:
    listed = list(images)
    names = distinct_names(image.filename for image in listed)
    for number, (image, name) in enumerate(zip(listed, names, strict=True), start=1):
        yield {
            "id": number,
            "file_name": name,
            "width": image.width,
            "height": image.height,
            "split": image.split,
            "group": image.group,
            "metadata": image.metadata,
            "sha256": image.sha256,
        }


def categories_of(classes: Iterable[ManifestClass]) -> list[dict[str, Any]]:
    """Numbered from 1, in the manifest's order."""
    return [{"id": number, "name": label.name} for number, label in enumerate(classes, start=1)]


def annotations_of(images: Iterable[ManifestImage]) -> Iterator[dict[str, Any]]:
    """The boxes of the images, which are numbered from 1 in this order, and so are the boxes."""
    drawn = ((place, box) for place, image in enumerate(images, start=1) for box in image.boxes)
    for number, (place, box) in enumerate(drawn, start=1):
        yield {
            "id": number,
            "image_id": place,
            "category_id": box.class_index + 1,
            "bbox": [box.x, box.y, box.width, box.height],
            "area": box.width * box.height,
            "iscrowd": 0,
        }
