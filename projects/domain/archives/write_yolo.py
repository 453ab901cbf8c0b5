"""YOLO: `data.yaml`, and a text file an image with a line a box, in fractions of the image's sides."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

import yaml

from projects.domain.archives.layouts import Layout
from projects.domain.manifests import Manifest, ManifestImage

_FOLDERS: Final = {"TRAIN": "train", "VALIDATION": "val", "TEST": "test"}


def yolo_layout(manifest: Manifest, *, names: Sequence[str]) -> Layout:
    """An image whose text file is empty was found good.

    Fractions have all their digits: read back, they give each side within a millionth of a pixel.
    """
    images = list(zip(names, manifest.images, strict=True))
    paths = tuple(f"images/{_FOLDERS[image.split]}/{name}" for name, image in images)
    return Layout(paths, _texts(manifest, images))


def _texts(manifest: Manifest, images: Sequence[tuple[str, ManifestImage]]) -> Iterator[tuple[str, bytes]]:
    yield "data.yaml", _data(manifest)
    for name, image in images:
        lines = "".join(_lines(image))
        yield f"labels/{_FOLDERS[image.split]}/{PurePosixPath(name).stem}.txt", lines.encode()


def _data(manifest: Manifest) -> bytes:
    document = {
        "path": ".",
        "train": "images/train",
        "val": "images/val",
        "test": "images/test",
        "nc": len(manifest.classes),
        "names": {number: label.name for number, label in enumerate(manifest.classes)},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).encode()


def _lines(image: ManifestImage) -> Iterator[str]:
    for box in image.boxes:
        across, down = (box.x + box.width / 2) / image.width, (box.y + box.height / 2) / image.height
        width, height = box.width / image.width, box.height / image.height
        yield f"{box.class_index} {across!r} {down!r} {width!r} {height!r}\n"
