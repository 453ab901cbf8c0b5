"""Annotating: up to a thousand images at once, each with an answer of its own, and nothing overwritten."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from projects.domain.boxes import FAINT_SIDE, NewAnnotation, fitted, parse_annotation, parse_box
from projects.domain.items import ItemRefused, echoed, shown
from projects.domain.named_images import NamedImages
from projects.domain.queries import label_book, project_named
from projects.domain.versions import Drawn, Version, write_versions
from projects.models import Annotation, Box, Image, Project
from tenants.permissions import Principal
from tenants.refusals import Refusal

CREATED, UNCHANGED, REJECTED = "CREATED", "UNCHANGED", "REJECTED"
# Of all images of one call: what is written within seconds, for the project is locked meanwhile.
MAX_BOXES_A_CALL = 20_000
# Of a rejected image that is named more than once: how many of the items' numbers its message tells.
_TOLD = 10


class TooManyBoxes(Refusal):
    status = 413
    code = "too_large"
    title = "Too large"

    def __init__(self, boxes: int) -> None:
        super().__init__(
            f"{boxes} boxes are more than the {MAX_BOXES_A_CALL} that one call takes.",
            hint="Annotate fewer images at a time.",
        )


@dataclass
class Outcome:
    """What became of one item: a version (new, or the one that says the same), or an error."""

    index: int
    filename: str
    status: str = REJECTED
    image: uuid.UUID | None = None
    annotation: uuid.UUID | None = None
    number: int = 0
    warnings: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, str] | None = None


# An item that can be read, with the image it names.
_Found = tuple[Outcome, NewAnnotation, Image]


@dataclass
class _Batch:
    """What the database knows of the images that are annotated, and what is to be written of them."""

    project: Project
    by: Principal
    classes: dict[str, uuid.UUID]
    # Image → number of its newest version.
    numbers: dict[uuid.UUID, int]
    # Accepted annotation → its boxes.
    drawn: dict[uuid.UUID, list[Drawn]]
    new: list[Version] = field(default_factory=list)


def annotate(*, project_id: uuid.UUID, items: Sequence[object], by: Principal) -> list[Outcome]:
    """Writes a new version for each image, which becomes its accepted one; answers item by item, in order.

    An item is `{"image": id} or {"filename": name}`, with `boxes` (in a detection project) or `class` (in one of
    another kind; null for a good image) and perhaps `if_number`, the number of the version that it corrects. Boxes
    that stick out are cut at the image's edge; a class is stored as one box that covers the image. What the accepted
    version says already is not written again. What is wrong with one item does not hold up the others.
    Runs in the tenant's scope. Raises NotFound or TooManyBoxes.
    """
    outcomes, readable = _read(items)
    boxes = sum(len(item.boxes or ()) for _, item in readable)
    if boxes > MAX_BOXES_A_CALL:
        raise TooManyBoxes(boxes)
    # The project's lock makes its annotations take turns, so that numbers and counters are right, and keeps its
    # images from being deleted meanwhile.
    project = project_named(project_id, lock=True)
    found = _find(readable, project)
    batch = _look(project, found, by=by)
    for outcome, item, image in found:
        try:
            _place(outcome, item, image, batch)
        except ItemRefused as refused:
            outcome.error = refused.error
    write_versions(project=project, versions=batch.new, by=by)
    return outcomes


def _read(items: Sequence[object]) -> tuple[list[Outcome], list[tuple[Outcome, NewAnnotation]]]:
    outcomes, readable = [], []
    for index, given in enumerate(items):
        outcome = Outcome(index=index, filename=echoed(given.get("filename") if isinstance(given, dict) else None))
        outcomes.append(outcome)
        try:
            readable.append((outcome, parse_annotation(given)))
        except ItemRefused as refused:
            outcome.error = refused.error
    return outcomes, readable


def _find(readable: Sequence[tuple[Outcome, NewAnnotation]], project: Project) -> list[_Found]:
    """The items with their images. Those without one are refused, and so are those that share one.

    Boxes of one image that come item by item would each be taken for all of them, so none of such is written.
    """
    named = NamedImages.among(project, [item for _, item in readable])
    found: list[_Found] = []
    places: dict[uuid.UUID, list[int]] = defaultdict(list)
    for outcome, item in readable:
        try:
            image = named.image_of(item)
        except ItemRefused as refused:
            outcome.error = refused.error
            continue
        outcome.image, outcome.filename = image.id, image.filename
        places[image.id].append(outcome.index)
        found.append((outcome, item, image))
    for outcome, _, image in found:
        if len(places[image.id]) > 1:
            told = ", ".join(map(str, places[image.id][:_TOLD]))
            outcome.error = {
                "code": "duplicate_image",
                "message": f"{image.filename} is named by {len(places[image.id])} items of this call ({told}).",
                "hint": "Give all boxes of an image in one item.",
            }
    return [line for line in found if line[0].error is None]


def _look(project: Project, found: Sequence[_Found], *, by: Principal) -> _Batch:
    accepted = [image for _, _, image in found if image.accepted_id is not None]
    return _Batch(
        project=project,
        by=by,
        classes=label_book(project) if any(item.boxes or item.label is not None for _, item, _ in found) else {},
        numbers=_numbers(accepted) if accepted else {},
        drawn=boxes_of(accepted) if accepted else {},
    )


def _numbers(annotated: Sequence[Image]) -> dict[uuid.UUID, int]:
    versions = Annotation.objects.filter(image_id__in=[image.id for image in annotated]).values_list("image_id")
    return dict(versions.annotate(Max("number")))


def boxes_of(annotated: Sequence[Image]) -> dict[uuid.UUID, list[Drawn]]:
    """The boxes of the images' accepted annotations, by the annotations' ids. In a scope."""
    drawn: dict[uuid.UUID, list[Drawn]] = defaultdict(list)
    boxes = Box.objects.filter(annotation_id__in=[image.accepted_id for image in annotated])
    for annotation_id, *place in boxes.values_list("annotation_id", "defect_class_id", "x", "y", "width", "height"):
        drawn[annotation_id].append(tuple(place))  # type: ignore[arg-type]  # five columns
    return drawn


def _place(outcome: Outcome, item: NewAnnotation, image: Image, batch: _Batch) -> None:
    drawn = _drawn(outcome, item, image, batch)
    before = batch.drawn.get(image.accepted_id, []) if image.accepted_id else []
    outcome.number = batch.numbers.get(image.id, 0)
    if image.accepted_id is not None and sorted(drawn) == sorted(before):
        # Also when `if_number` names an older one: this may be a call that is repeated because its answer was lost.
        outcome.status, outcome.annotation = UNCHANGED, image.accepted_id
        return
    if item.if_number not in (None, outcome.number):
        raise ItemRefused(
            "conflict",
            f"{image.filename}: its annotation has number {outcome.number} by now, not {item.if_number}.",
            "Read it again (GET /api/v1/images/{id}/annotations), and repeat the correction on what is there.",
        )
    outcome.number += 1
    annotation = Annotation(
        image_id=image.id, number=outcome.number, author_id=batch.by.member_id, box_count=len(drawn)
    )
    batch.new.append(Version(image=image, annotation=annotation, drawn=drawn, before=before))
    outcome.status, outcome.annotation = CREATED, annotation.id


def _drawn(outcome: Outcome, item: NewAnnotation, image: Image, batch: _Batch) -> list[Drawn]:
    """What the item says, as it is stored. Raises ItemRefused, also where the project's kind wants another item."""
    kind = batch.project.kind
    if item.boxes is None:
        if batch.project.takes_boxes:
            raise ItemRefused(
                "class_not_for_kind",
                f"{image.filename}: the images of a project of kind {kind} have boxes, each of a class.",
                "Give `boxes`; an empty list says that the image shows no defect.",
            )
        return _covering(item.label, image, batch.classes)
    if not batch.project.takes_boxes:
        raise ItemRefused(
            "boxes_not_for_kind",
            f"{image.filename}: an image of a project of kind {kind} has one class, and no boxes.",
            "Give `class`, a name or an id of the label book, or null where the image shows no defect.",
        )
    return _fitted(outcome, item.boxes, image, batch.classes)


def _covering(label: str | None, image: Image, classes: Mapping[str, uuid.UUID]) -> list[Drawn]:
    """The class as one box that covers the image; no box for a good one. Raises ItemRefused."""
    if label is None:
        return []
    if label not in classes:
        raise _unknown_class(image.filename, label)
    return [(classes[label], 0.0, 0.0, float(image.width or 0), float(image.height or 0))]  # a READY image has both


def _unknown_class(where: str, label: str) -> ItemRefused:
    return ItemRefused(
        "unknown_class",
        f"{where}: the label book has no class {shown(label)}.",
        "Create the class first, or correct its name.",
    )


def _fitted(outcome: Outcome, boxes: Sequence[object], image: Image, classes: Mapping[str, uuid.UUID]) -> list[Drawn]:
    """The boxes as they are stored. Raises ItemRefused; what was mended goes to the outcome's warnings."""
    width, height = image.width or 0, image.height or 0  # a READY image has both
    drawn: list[Drawn] = []
    cut, faint = [], []
    for place, given in enumerate(boxes):
        where = f"{image.filename}: boxes[{place}]"
        whole = parse_box(given, where=where)
        if whole.label not in classes:
            raise _unknown_class(where, whole.label)
        box, was_cut = fitted(whole, where=where, width=width, height=height)
        if was_cut:
            cut.append(place)
        if min(box.width, box.height) < FAINT_SIDE:
            faint.append(place)
        drawn.append((classes[box.label], box.x, box.y, box.width, box.height))
    size = f"{width} × {height} pixels"
    sticks, was = ("sticks", "was") if len(cut) == 1 else ("stick", "were")
    _warn(outcome, "box_clipped", cut, f"{sticks} out of the image of {size} and {was} cut at its edge")
    are, they_are = ("is", "it is") if len(faint) == 1 else ("are", "they are")
    _warn(outcome, "faint_box", faint, f"{are} thinner than {FAINT_SIDE:g} pixels; check that {they_are} in pixels")
    return drawn


def _warn(outcome: Outcome, code: str, places: list[int], what: str) -> None:
    if places:
        message = f"{outcome.filename}: {len(places)} of its boxes {what}."
        outcome.warnings.append({"code": code, "message": message, "boxes": places})


def as_json(outcome: Outcome) -> dict[str, Any]:
    """One line of the answer."""
    line: dict[str, Any] = {"index": outcome.index, "filename": outcome.filename, "status": outcome.status}
    if outcome.image is not None:
        line["image"] = str(outcome.image)
    if outcome.annotation is not None:
        line |= {"annotation": str(outcome.annotation), "number": outcome.number}
    if outcome.error is not None:
        line["error"] = outcome.error
    return line | {"warnings": outcome.warnings}
