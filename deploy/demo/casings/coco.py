"""A folder of photographs with COCO annotations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from deploy.demo.casings.defects import LABELS
from deploy.demo.casings.scene import Casing, generate

JPEG_QUALITY = 92
MAKER, MODEL = "Halden Optics", "LineScout 5"  # no such maker: the pictures are drawn
_MAKE_TAG, _MODEL_TAG, _SOFTWARE_TAG, _TAKEN_TAG, _SERIAL_TAG = 0x010F, 0x0110, 0x0131, 0x0132, 0xA431
_EXIF_FOLDER, _GPS_FOLDER = 0x8769, 0x8825


def write_coco(
    folder: Path,
    *,
    count: int,
    seed: int,
    size: tuple[int, int] = (640, 480),
    on_progress: Callable[[int, Casing], None] | None = None,
) -> Path:
    """Write `images/casing_0001.jpg` … and `annotations.json` into `folder`; return the latter's path.

    `on_progress(done, casing)` is called after each photograph. The photographs carry EXIF as cameras write it,
    with position and serial number, so that one can see whether they are stripped. Files of the same names are
    overwritten. Raises ValueError for a count below 1 and as `generate` does.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    casings = (generate(seed=seed, index=index, size=size) for index in range(count))
    (folder / "images").mkdir(parents=True, exist_ok=True)
    path = folder / "annotations.json"
    document = _document(_write_images(folder / "images", casings, on_progress), seed=seed)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def _write_images(
    folder: Path, casings: Iterable[Casing], on_progress: Callable[[int, Casing], None] | None
) -> Iterable[tuple[str, Casing]]:
    for number, casing in enumerate(casings, start=1):
        name = f"casing_{number:04d}.jpg"
        casing.image.save(folder / name, quality=JPEG_QUALITY, subsampling=0, exif=_exif(casing, number))
        if on_progress is not None:
            on_progress(number, casing)
        yield name, casing


def _document(photographs: Iterable[tuple[str, Casing]], *, seed: int) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (name, casing) in enumerate(photographs, start=1):
        width, height = casing.image.size
        images.append(
            {"id": image_id, "file_name": name, "width": width, "height": height, "license": 1, **casing.metadata}
        )
        for box in casing.boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": LABELS.index(box.label) + 1,
                    "bbox": [box.x, box.y, box.width, box.height],
                    "area": box.width * box.height,
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"description": f"Smartphone casings, drawn from seed {seed}", "version": "1"},
        "licenses": [{"id": 1, "name": "CC0-1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}],
        "categories": [
            {"id": number, "name": label, "supercategory": "defect"} for number, label in enumerate(LABELS, start=1)
        ],
        "images": images,
        "annotations": annotations,
    }


def _exif(casing: Casing, number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[_MAKE_TAG], exif[_MODEL_TAG], exif[_SOFTWARE_TAG] = MAKER, MODEL, "firmware 2.14"
    exif[_TAKEN_TAG] = f"2024:10:{1 + number // 400 % 28:02d} {6 + number // 60 % 16:02d}:{number % 60:02d}:00"
    exif.get_ifd(_EXIF_FOLDER)[_SERIAL_TAG] = f"LS5-{casing.metadata['camera']:04d}"
    # 1: N, 2: latitude, 3: E, 4: longitude, in degrees, minutes, seconds.
    exif.get_ifd(_GPS_FOLDER).update({1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    return exif
