"""Pascal VOC: an XML file an image, and its splits as lists of names."""

import re
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from pathlib import PurePosixPath
from typing import Final
from xml.etree.ElementTree import (
    Element,
    SubElement,
    indent,
    tostring,
)

from projects.domain.archives.layouts import CannotBeWritten, Layout
from projects.domain.manifests import Manifest, ManifestBox, ManifestImage

_SETS: Final = {"TRAIN": "train", "VALIDATION": "val", "TEST": "test"}
#: What XML has no way to write.
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Digits of a corner: what readers of decimals take by default.
_EXACT: Final = Context(prec=28)


def voc_layout(manifest: Manifest, *, names: Sequence[str]) -> Layout:
    """Corners as in the devkit: pixels are counted from 1, and the last belongs to the box.

    With decimals where a box has them: nothing is rounded. Raises CannotBeWritten on a class name that XML cannot
    carry.
    """
    for label in manifest.classes:
        if _UNWRITABLE.search(label.name):
            raise CannotBeWritten(
                f"The class name {label.name!r} has a character that XML, and so Pascal VOC, cannot carry.",
                "Rename the class and make another snapshot, or export as COCO or YOLO.",
            )
    return Layout(tuple(f"JPEGImages/{name}" for name in names), _texts(manifest, names))


def _texts(manifest: Manifest, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    stems = [PurePosixPath(name).stem for name in names]
    for split, listed in _SETS.items():
        lines = [stem for stem, image in zip(stems, manifest.images, strict=True) if image.split == split]
        yield f"ImageSets/Main/{listed}.txt", "".join(f"{line}\n" for line in lines).encode()
    labels = [label.name for label in manifest.classes]
    for name, stem, image in zip(names, stems, manifest.images, strict=True):
        yield f"Annotations/{stem}.xml", _page(image, name, labels)


def _page(image: ManifestImage, name: str, labels: Sequence[str]) -> bytes:
    root = Element("annotation")
    _say(root, folder="JPEGImages", filename=name)
    _say(SubElement(root, "size"), width=image.width, height=image.height, depth=3)
    _say(root, segmented=0)
    for box in image.boxes:
        drawn = SubElement(root, "object")
        _say(drawn, name=labels[box.class_index], pose="Unspecified", truncated=0, difficult=0)
        _say(SubElement(drawn, "bndbox"), **_corners(box))
    indent(root)
    page: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return page


def _say(parent: Element, **texts: object) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = str(text)


def _corners(box: ManifestBox) -> dict[str, str]:
    x, y, width, height = (Decimal(repr(float(side))) for side in (box.x, box.y, box.width, box.height))
    add = _EXACT.add
    corners = {"xmin": add(x, Decimal(1)), "ymin": add(y, Decimal(1)), "xmax": add(x, width), "ymax": add(y, height)}
    return {side: _written(corner) for side, corner in corners.items()}


def _written(number: Decimal) -> str:
    """Without an exponent, and whole where it is."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
