"""Annotations: what labelers say of images, one version after another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from myriad.annotations.coco import CocoAnnotations, read_coco_annotations
from myriad.annotations.matching import Match, Matcher, one_class_each
from myriad.annotations.report import AnnotationResult, ImportProgress, ImportReport, OnImport, Outcome
from myriad.annotations.sending import NAME, Item, batches, send
from myriad.answers import Answer
from myriad.errors import ValidationFailed
from myriad.listing import Listing
from myriad.resources.classes import Classes
from myriad.resources.images import Images
from myriad.resources.projects import Projects
from myriad.transport import Transport, path_of

# Unknown classes that an error names.
_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Box(Answer):
    """A defect: `class_id` and `name` say of which class, `bbox` is left, top, width and height in pixels."""

    bbox: tuple[float, ...]
    name: str = ""

    @property
    def class_id(self) -> str:
        return str(self.raw.get("class", ""))


@dataclass(frozen=True, kw_only=True)
class Author(Answer):
    """The member who said so."""

    id: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Annotation(Answer):
    """One version of what one labeler said of one image; without boxes: nothing is wrong with it.

    `accepted` tells whether it is the image's ground truth. Where images have one class each, `class_id` is that, and
    `boxes` has one that covers the image.
    """

    id: str
    image: str = ""
    number: int = 0
    accepted: bool = False
    boxes: tuple[Box, ...] = ()
    author: Author | None = None
    created_at: datetime | None = None

    @property
    def class_id(self) -> str | None:
        """None for a good image, and in a detection project."""
        return self.raw.get("class")


class Annotations:
    def __init__(self, transport: Transport, projects: Projects, images: Images, classes: Classes) -> None:
        self._transport = transport
        self._projects = projects
        self._images = images
        self._classes = classes

    def write(
        self, project_id: str, items: Iterable[Mapping[str, Any]], *, on_progress: OnImport | None = None
    ) -> tuple[AnnotationResult, ...]:
        """Annotate any number of images and give the result of each, in order.

        An item is `{"image": id, "boxes": [{"class": id or name, "bbox": [x, y, width, height]}]}` in pixels; instead
        of `image` it may have a `filename` that only one image of the project has. In a project whose images have one
        class each, it has `"class": id or name` instead of boxes; None: the image is good. An item with `if_number` is
        only written if that is the number of the accepted annotation. What the server refuses of one image is in its
        result and does not hold up the others.
        """
        todo = [item if "class" in item else {**item, "boxes": list(item.get("boxes", ()))} for item in items]
        results: list[AnnotationResult] = []
        for batch in batches(todo):
            results += send(self._transport, project_id, batch)
            if on_progress is not None:
                rejected = sum(result.outcome is Outcome.REJECTED for result in results)
                on_progress(ImportProgress(done=len(results), total=len(todo), rejected=rejected))
        return tuple(results)

    def list(self, image_id: str, *, page_size: int = 100) -> Listing[Annotation]:
        """Give the versions of one image's annotation, newest first."""
        path = path_of("images", image_id, "annotations")
        return Listing(self._transport, path, Annotation, {"limit": page_size})

    def get(self, annotation_id: str) -> Annotation:
        reply = self._transport.get(path_of("annotations", annotation_id))
        return Annotation.from_json(reply.document, reply.request_id)

    def import_coco(
        self,
        project_id: str,
        source: str | os.PathLike[str] | CocoAnnotations,
        *,
        create_classes: bool = False,
        on_progress: OnImport | None = None,
    ) -> ImportReport:
        """Annotate the project's images with the boxes of a COCO file, and tell image by image what came of it.

        Images are found by their name in the project, or by the last part of it where that is unique; categories by
        name. An image of the file without boxes is annotated as good. Categories that the label book lacks are made
        classes with `create_classes`; without, `ValidationFailed` names them and nothing is written. In a project whose
        images have one class each, an image gets the class of its boxes; one with boxes of several is rejected.
        """
        coco = source if isinstance(source, CocoAnnotations) else read_coco_annotations(source)
        found, rejected = Matcher(self._images.list(project_id, page_size=500)).match(coco.images)
        takes_boxes = self._projects.get(project_id).kind == "DETECTION"
        if not takes_boxes:
            found, torn = one_class_each(found)
            rejected = [*rejected, *torn]
        needed = CocoAnnotations(tuple(match.described for match in found)).categories
        ids, made = self._class_ids(project_id, needed, create=create_classes)

        def tell(progress: ImportProgress) -> None:
            if on_progress is not None:
                on_progress(
                    ImportProgress(
                        done=progress.done + len(rejected),
                        total=progress.total + len(rejected),
                        rejected=progress.rejected + len(rejected),
                    )
                )

        item = _item if takes_boxes else _whole_item
        results = [*self.write(project_id, [item(match, ids) for match in found], on_progress=tell), *rejected]
        return ImportReport(
            project=project_id,
            created=_with(Outcome.CREATED, results),
            unchanged=_with(Outcome.UNCHANGED, results),
            rejected=_with(Outcome.REJECTED, results),
            classes=made,
            crowds=coco.crowds,
        )

    def _class_ids(
        self, project_id: str, names: Sequence[str], *, create: bool
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Give the id of each name, and the names that were made for it."""
        known = {item.name: item.id for item in self._classes.list(project_id, page_size=500)}
        missing = tuple(name for name in names if name not in known)
        if missing and not create:
            raise _unknown_classes(missing, known)
        for name in missing:
            known[name] = self._classes.create(project_id, name).id
        return known, missing


def _item(match: Match, class_ids: Mapping[str, str]) -> Item:
    boxes = [{"class": class_ids[box.category], "bbox": list(box.bbox)} for box in match.described.boxes]
    return {"image": match.image, "boxes": boxes, NAME: match.described.file_name}


def _whole_item(match: Match, class_ids: Mapping[str, str]) -> Item:
    category = next((box.category for box in match.described.boxes), None)
    label = class_ids[category] if category is not None else None
    return {"image": match.image, "class": label, NAME: match.described.file_name}


def _with(outcome: Outcome, results: Iterable[AnnotationResult]) -> tuple[AnnotationResult, ...]:
    return tuple(result for result in results if result.outcome is outcome)


def _unknown_classes(missing: Sequence[str], known: Iterable[str]) -> ValidationFailed:
    by_fold = {name.casefold(): name for name in known}

    def described(name: str) -> str:
        similar = by_fold.get(name.casefold())
        return f"{name} (there is {similar})" if similar else name

    named = [described(name) for name in missing[:_NAMED]] + (["…"] if len(missing) > _NAMED else [])
    return ValidationFailed(
        f"The label book lacks {len(missing)} of the file's categories: {', '.join(named)}.",
        code="unknown_classes",
        hint="Add them with `myriad class create NAME`, or let the import do it with --create-classes.",
    )
