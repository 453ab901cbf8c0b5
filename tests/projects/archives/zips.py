"""Archives as labelling tools write them, and as nobody should: made here, none is stored."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from projects.domain.archives.contents import ArchiveImage, Summary
from projects.domain.archives.reading import Reading
from tests.projects.files import encoded, picture
from workers.children.archive_program import measured

WIDTH, HEIGHT = 48, 36


def photo(seed: str, form: str = "PNG", **options: Any) -> bytes:
    """A picture of 48 × 36 pixels, another one for each seed."""
    return encoded(picture(seed, WIDTH, HEIGHT), form, **options)


def zipped(files: Mapping[str, bytes | str] | Iterable[tuple[str, bytes | str]], *, stored: bool = False) -> bytes:
    """A zip of these files, in order; a name may come twice."""
    buffer = io.BytesIO()
    pairs = files.items() if isinstance(files, Mapping) else files
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name), data, archive.compression)
    return buffer.getvalue()


def coco(
    images: Mapping[str, list[Any]], *, names: tuple[str, ...] = ("dent", "scratch"), **extra: Any
) -> dict[str, Any]:
    """A COCO document: file name → boxes as (class name, x, y, width, height), or whole annotations."""
    ids = {name: number for number, name in enumerate(names, start=1)}
    annotations: list[dict[str, Any]] = []
    for number, boxes in enumerate(images.values(), start=1):
        for box in boxes:
            said = box if isinstance(box, dict) else {"category_id": ids[box[0]], "bbox": list(box[1:])}
            annotations.append({"id": 100 + len(annotations), "image_id": number, "iscrowd": 0, **said})
    listed = [{"id": number, "file_name": name} for number, name in enumerate(images, start=1)]
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": listed, "annotations": annotations, "categories": categories, **extra}


def coco_zip(images: Mapping[str, list[Any]], *, more: Mapping[str, bytes | str] | None = None, **extra: Any) -> bytes:
    """`annotations.json` and `images/…`, a photo for each name."""
    files: dict[str, bytes | str] = {"annotations.json": json.dumps(coco(images, **extra))}
    files |= {f"images/{name}": photo(name) for name in images}
    return zipped(files | dict(more or {}))


def voc_page(filename: str, boxes: list[tuple[str, Any, Any, Any, Any]]) -> str:
    """An XML file: boxes as (class, xmin, ymin, xmax, ymax)."""
    objects = "".join(
        f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in boxes
    )
    return f"<annotation><folder>x</folder><filename>{filename}</filename>{objects}</annotation>"


def voc_zip(images: Mapping[str, list[Any]], *, more: Mapping[str, bytes | str] | None = None) -> bytes:
    """`Annotations/…` and `JPEGImages/…`."""
    files: dict[str, bytes | str] = {}
    for name, boxes in images.items():
        files[f"Annotations/{name.rpartition('.')[0]}.xml"] = voc_page(name, boxes)
        files[f"JPEGImages/{name}"] = photo(name)
    return zipped(files | dict(more or {}))


def yolo_zip(
    images: Mapping[str, str | None],
    *,
    names: str = "names: [dent, scratch]\n",
    split: str = "train",
    more: Mapping[str, bytes | str] | None = None,
) -> bytes:
    """`data.yaml`, `images/SPLIT/…` and `labels/SPLIT/…`; None for an image without a label file."""
    files: dict[str, bytes | str] = {"data.yaml": names}
    for name, lines in images.items():
        files[f"images/{split}/{name}"] = photo(name)
        if lines is not None:
            files[f"labels/{split}/{name.rpartition('.')[0]}.txt"] = lines
    return zipped(files | dict(more or {}))


def read(data: bytes) -> tuple[dict[str, ArchiveImage], Summary]:
    """The archive's images by path, and its summary; read here, without a child."""
    reading = Reading(io.BytesIO(data), measure=measured)
    images = {image.path: image for image in reading.images()}
    return images, reading.summary()


def drawn(image: ArchiveImage) -> list[tuple[int, float, float, float, float]]:
    """An image's boxes as plain tuples."""
    assert image.labels is not None
    return [(box.label, box.x, box.y, box.width, box.height) for box in image.labels.boxes]


def told(summary: Summary) -> dict[str, int]:
    """Problem kinds and their counts."""
    return {str(kind): problem.count for kind, problem in summary.problems.kinds.items()}
