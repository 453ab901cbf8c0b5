"""Which image of the project a COCO image is: by its name, or by the last part of it where that is unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from myriad.annotations.coco import CocoImage
from myriad.annotations.report import AnnotationResult, Outcome
from myriad.resources.images import Image


@dataclass(frozen=True)
class Match:
    """A COCO image and the image that it is."""

    described: CocoImage
    image: str


class Matcher:
    """Knows the project's images by name."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._by_name: dict[str, list[Image]] = {}
        self._by_last: dict[str, list[Image]] = {}
        for image in images:
            self._by_name.setdefault(image.filename, []).append(image)
            self._by_last.setdefault(_last(image.filename), []).append(image)

    def match(self, described: Iterable[CocoImage]) -> tuple[list[Match], list[AnnotationResult]]:
        """Give those that were found, each image once, and a rejection for each of the others."""
        entries = list(described)
        lasts = Counter(_last(entry.file_name) for entry in entries)
        found: dict[str, Match] = {}
        rejected = []
        for entry in entries:
            image = self._find(entry, alone=lasts[_last(entry.file_name)] == 1)
            if isinstance(image, Image) and image.id in found:
                other = found[image.id].described.file_name
                message = f"{entry.file_name} is the same image as {other}, further up in the file."
                image = _rejected(entry, "duplicate_image", message, "Keep one entry an image in the file.")
            if isinstance(image, Image):
                found[image.id] = Match(entry, image.id)
            else:
                rejected.append(image)
        return list(found.values()), rejected

    def _find(self, entry: CocoImage, *, alone: bool) -> Image | AnnotationResult:
        name = entry.file_name
        if entry.trouble:
            return _rejected(entry, "bad_box", f"{name}: {entry.trouble}.", "Correct the annotation in the file.")
        candidates = self._by_name.get(name, [])
        if not candidates:
            candidates = self._by_last.get(_last(name), [])
            if len(candidates) == 1 and not alone:
                message = f"{name}: several images of the file have this name, in other folders."
                hint = "Use the names that the images have in the project; `myriad image list` shows them."
                return _rejected(entry, "ambiguous_filename", message, hint)
        if not candidates:
            hint = "Upload it first, with `myriad image upload`; `myriad image list` shows what is there."
            return _rejected(entry, "unknown_image", f"{name}: the project has no image of this name.", hint)
        if len(candidates) > 1:
            message = f"{name}: {len(candidates)} images of the project have this name."
            hint = "Delete those that are too many, or annotate them by their ids, through the SDK."
            return _rejected(entry, "ambiguous_filename", message, hint)
        return _same_size(entry, candidates[0])


def one_class_each(found: Iterable[Match]) -> tuple[list[Match], list[AnnotationResult]]:
    """Give those whose boxes are of one class at most, and a rejection for each of the others."""
    kept, rejected = [], []
    for match in found:
        names = sorted({box.category for box in match.described.boxes})
        if len(names) < 2:
            kept.append(match)
            continue
        message = f"{match.described.file_name}: its boxes are of several classes ({', '.join(names)})."
        hint = "An image of this project has one class: say by hand which, or import into a detection project."
        rejected.append(_rejected(match.described, "several_classes", message, hint))
    return kept, rejected


def _same_size(entry: CocoImage, image: Image) -> Image | AnnotationResult:
    told, real = (entry.width, entry.height), (image.width, image.height)
    if None in told or None in real or told == real:
        return image
    message = f"{entry.file_name}: it is {real[0]} x {real[1]} pixels, but {told[0]} x {told[1]} by the file."
    hint = "The boxes would lie elsewhere: export the annotations for the images as they were uploaded, upright."
    return _rejected(entry, "size_mismatch", message, hint)


def _rejected(entry: CocoImage, code: str, message: str, hint: str) -> AnnotationResult:
    return AnnotationResult(
        name=entry.file_name, outcome=Outcome.REJECTED, boxes=len(entry.boxes), code=code, message=message, hint=hint
    )


def _last(name: str) -> str:
    return PurePosixPath(name).name
