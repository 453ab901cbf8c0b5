"""Some images of an import: registered in one transaction, and annotated in another, with a line of results each."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from projects.domain.annotations import CREATED, UNCHANGED, annotate
from projects.domain.archives.contents import MAX_BOXES, ArchiveImage, Kind, Summary
from projects.domain.images import delete_image
from projects.domain.import_plans import Survey, book_of, fit, item_of, known_images, verdict
from projects.domain.import_words import warning
from projects.domain.queries import project_named
from projects.domain.registration import register_images
from projects.models import Image, Project
from tenants.domain.quotas import lock_quota
from tenants.permissions import Principal

# What became of an image, besides what `annotate` says.
UPDATED, DUPLICATE, REJECTED = "UPDATED", "DUPLICATE", "REJECTED"
# What the error of such a file says where its labels are not taken.
_LABELS_STAY = {"hint": "Its labels were left out. Look at that image, and correct its boxes there."}
# The error of a file that shows, in other bytes, what another image shows.
_SAME_PICTURE = "duplicate_content"


def registered_lines(
    *, project_id: uuid.UUID, start: int, images: Sequence[ArchiveImage], survey: Survey, by: Principal
) -> list[dict[str, Any]]:
    """A line an image: `image` names the one in the project, `is_new` says that its bytes are still to be taken in.

    `start` is the first one's place in the archive. Runs in the tenant's scope. Raises NotFound.
    """
    # As in registration, so that what is known here is known there.
    lock_quota()
    known = known_images(project_named(project_id, lock=True), images)
    lines: list[dict[str, Any]] = []
    items: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for place, image in enumerate(images):
        line: dict[str, Any] = {"file": image.path, "image": None, "is_new": False}
        lines.append(line)
        copy_of = survey.copy_of(start + place, image) if image.entry is not None else ""
        if image.trouble is not None:
            code, message, hint = image.trouble
            line["error"] = {"code": code, "message": f"{image.path} {message}.", "hint": hint}
        elif copy_of:
            line["copy_of"] = copy_of
        elif place in known:
            line["image"] = str(known[place].id)
        elif image.entry is None:
            line["error"] = _missing(image)
        else:
            items.append((line, item_of(image)))
    if items:
        _register(project_id, items, by=by)
    return lines


def _register(project_id: uuid.UUID, items: Sequence[tuple[dict[str, Any], dict[str, Any]]], *, by: Principal) -> None:
    results = register_images(project_id=project_id, items=[item for _, item in items], by=by)
    for (line, _), result in zip(items, results, strict=True):
        if result.image is None:
            line["error"] = result.error
            continue
        line["image"] = str(result.image.id)
        line["is_new"] = result.status == Image.Status.AWAITING and not result.duplicate


def label_chunk(
    *,
    project: Project,
    lines: Sequence[Mapping[str, Any]],
    images: Sequence[ArchiveImage],
    summary: Summary,
    survey: Survey,
    begun: datetime,
    by: Principal,
) -> list[dict[str, Any]]:
    """Annotates the images of registered lines; returns the lines as the results tell them.

    What could not be taken in is deleted again. `begun` is when the import was: what is older is the project's own,
    and takes the labels of a file that shows its picture, unless it has some. Runs in the tenant's scope, whose
    transaction notes that it is done.
    """
    chunk = _Chunk(project, summary, survey, by, book=book_of(project), begun=begun)
    drafts = [dict(line) for line in lines]
    chunk.settle(drafts, images)
    items: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for draft, image in zip(drafts, images, strict=True):
        item = chunk.item(draft, image)
        if item is not None:
            items.append((draft, item))
    if items:
        outcomes = annotate(project_id=project.id, items=[item for _, item in items], by=by)
        for (draft, _), outcome in zip(items, outcomes, strict=True):
            if outcome.error is not None:
                draft |= {"error": outcome.error, "boxes": 0}
                continue
            draft |= {"annotated": outcome.status, "labelled": True}
            known = {str(Kind.BOX_CLIPPED)} & {warning["code"] for warning in draft["warnings"]}
            draft["warnings"] += [
                {"code": warned["code"], "message": warned["message"]}
                for warned in outcome.warnings
                if warned["code"] not in known
            ]
    return [_told(draft) for draft in drafts]


class _Chunk:
    """The chunk's images as they are in the project now."""

    def __init__(
        self,
        project: Project,
        summary: Summary,
        survey: Survey,
        by: Principal,
        *,
        book: dict[str, str],
        begun: datetime,
    ) -> None:
        self._project = project
        self._summary = summary
        self._survey = survey
        self._by = by
        self._book = book
        self._begun = begun
        self._rows: dict[str, Image] = {}

    def settle(self, drafts: Sequence[dict[str, Any]], images: Sequence[ArchiveImage]) -> None:
        """Looks at the images, and deletes new ones that were refused."""
        wanted = [draft["image"] for draft in drafts if draft["image"] is not None]
        rows = Image.objects.filter(id__in=wanted, project=self._project, deleted_at=None) if wanted else ()
        self._rows = {str(row.id): row for row in rows}
        for draft, image in zip(drafts, images, strict=True):
            row = self._rows.get(draft["image"] or "")
            if row is None or not draft["is_new"] or row.status != Image.Status.FAILED:
                continue
            error = row.error or {}
            # The quota's lock first, then the project's, as everywhere.
            delete_image(image_id=row.id, by=self._by)
            draft |= {"image": error.get("image"), "is_new": False}
            if not self._stands_for(draft["image"], image):
                draft["error"] = _shown(error) | _LABELS_STAY if image.labels is not None else _shown(error)

    def _stands_for(self, twin_id: str | None, image: ArchiveImage) -> bool:
        """Whether the image that shows the same picture takes this file's labels: the project's, without any yet."""
        if twin_id is None or image.labels is None or twin_id in self._rows:
            return False
        twin = Image.objects.filter(id=twin_id, project=self._project, deleted_at=None, accepted=None).first()
        if twin is None or twin.created_at >= self._begun:
            return False
        self._rows[twin_id] = twin
        return True

    def item(self, draft: dict[str, Any], image: ArchiveImage) -> dict[str, Any] | None:
        """What `annotate` is told of the image; None where nothing is to be said."""
        draft |= {"warnings": [], "labelled": False, "boxes": 0}
        row = self._rows.get(draft["image"] or "")
        if row is None or "error" in draft:
            if draft["image"] is not None and "error" not in draft:
                draft["error"] = _gone(image)
            return None
        if row.status != Image.Status.READY:
            draft["error"] = _not_ready(row)
            return None
        labels = image.labels
        if labels is None or not labels.is_read:
            return None
        found = fit(
            labels,
            width=row.width or 0,
            height=row.height or 0,
            classes=self._summary.classes,
            book=self._book,
            takes_boxes=self._project.takes_boxes,
        )
        draft["warnings"] = [warning(kind, places) for kind, places in found.notes.items()]
        is_conflicting = self._survey.is_conflicting(image)
        if is_conflicting:
            draft["warnings"].append(warning(Kind.CONFLICTING_BOXES, []))
        if labels.box_count > MAX_BOXES:
            draft["warnings"].append(warning(Kind.TOO_MANY_BOXES, [(labels.source, f"{labels.box_count:,} boxes")]))
        elif labels.box_count > len(labels.boxes):
            lost = labels.box_count - len(labels.boxes)
            draft["warnings"].append(warning(Kind.BAD_BOX, [(labels.source, f"{lost} left out")]))
        boxes = verdict(labels, found, is_conflicting=is_conflicting)
        return None if boxes is None else self._said(draft, boxes)

    def _said(self, draft: dict[str, Any], boxes: list[dict[str, Any]]) -> dict[str, Any]:
        """The item of the draft's image, as the project's kind wants it."""
        draft["boxes"] = len(boxes)
        if self._project.takes_boxes:
            return {"image": draft["image"], "boxes": boxes}
        return {"image": draft["image"], "class": boxes[0]["class"] if boxes else None}


def _told(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The line of the results."""
    line = {"file": draft["file"], "outcome": _outcome(draft), "image": draft["image"]}
    line |= {name: draft[name] for name in ("labelled", "boxes", "warnings")}
    return line | {name: draft[name] for name in ("copy_of", "error") if name in draft}


def _outcome(draft: Mapping[str, Any]) -> str:
    if "copy_of" in draft or draft.get("error", {}).get("code") == _SAME_PICTURE:
        return DUPLICATE
    if draft["image"] is None or ("error" in draft and not draft["is_new"]):
        return REJECTED
    if draft["is_new"]:
        return CREATED
    return UPDATED if draft.get("annotated") == CREATED else UNCHANGED


def _missing(image: ArchiveImage) -> dict[str, str]:
    source = image.labels.source if image.labels else "The archive"
    return {
        "code": "missing_file",
        "message": f"{source} labels {image.path}, which is neither in the archive nor, by that name, in the project.",
        "hint": "Add the image to the archive, or upload it first.",
    }


def _gone(image: ArchiveImage) -> dict[str, str]:
    return {
        "code": "image_deleted",
        "message": f"{image.path} was deleted from the project during the import.",
        "hint": "Import it again, if that was not meant.",
    }


def _not_ready(row: Image) -> dict[str, str]:
    return {
        "code": "image_not_ready",
        "message": f"{row.filename} is {row.status}: somebody else is uploading it.",
        "hint": "Wait until it is READY, and import the archive again.",
    }


def _shown(error: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(error.get(name, "")) for name in ("code", "message", "hint")}
