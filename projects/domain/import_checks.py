"""The check of an import: reads the archive, compares it with the project, and writes nothing but a report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from projects.domain.annotations import boxes_of
from projects.domain.archives.contents import MAX_BOXES, ArchiveImage, Kind, Problems, Summary
from projects.domain.import_archives import failing, import_of, opened
from projects.domain.import_plans import Place, Survey, as_stored, batches, book_of, fit, item_of, known_images, verdict
from projects.domain.import_words import in_words
from projects.domain.items import ItemRefused, parse_item
from projects.models import Image, Import, Project
from tenants.jobs import JobContext
from tenants.models import Quota
from tenants.scope import tenant_scope

# Images a scope: two queries, and one for the boxes of those that the project has.
_BATCH = 500
# Of the archive's classes: as many as the report names.
_CLASSES_TOLD = 1000


def check(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `import_check`: its spec names the import."""
    return failing(context, lambda: _check(context))


def _check(context: JobContext) -> dict[str, Any]:
    row = import_of(context, Import.Status.CHECKING, Import.Status.CHECKED)
    if row.status == Import.Status.CHECKED:
        # An earlier attempt published, and died before it could say so.
        return {"import": str(row.id)}
    context.progress(0, 1, "fetching")
    with opened(context, row) as archive:
        summary = archive.read(on_progress=lambda done, total: context.progress(done, total, "reading"))
        survey = Survey.of(archive.images())
        with tenant_scope(context.tenant_id):
            found = _Found(row.project, summary, survey, book_of(row.project))
        place = 0
        for batch in batches(archive.images(), _BATCH):
            context.check()
            with tenant_scope(context.tenant_id):
                found.look(place, batch)
            place += len(batch)
            context.progress(place, summary.images, "comparing")
    with tenant_scope(context.tenant_id):
        found.hold_against(Quota.objects.get())
    with context.publishing():
        rows = Import.objects.filter(id=row.id, status=Import.Status.CHECKING, job_id=context.job_id, deleted_at=None)
        rows.update(status=Import.Status.CHECKED, format=summary.format, report=found.report(), error=None)
    return {"import": str(row.id)}


@dataclass
class _Found:
    """What the check has found so far."""

    project: Project
    summary: Summary
    survey: Survey
    book: dict[str, str]
    problems: Problems = field(default_factory=Problems)
    counts: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    new_bytes: int = 0

    def __post_init__(self) -> None:
        # So that boxes of a class that is still to be made are looked at as well.
        self._names = {label.name: self.book.get(label.name, "") for label in self.summary.classes}

    def look(self, start: int, images: Sequence[ArchiveImage]) -> None:
        """Compares images, the first of which has the place `start` in the archive. In a scope."""
        known = known_images(self.project, images)
        drawn = boxes_of([image for image in known.values() if image.accepted_id is not None])
        for place, image in enumerate(images):
            row = known.get(place)
            if image.trouble is not None or not self._is_taken(start + place, image, row):
                continue
            width, height = (row.width or 0, row.height or 0) if row is not None else (image.width, image.height)
            found = self._boxes(image, width, height)
            if row is not None:
                self._compare(image, row, found, drawn)

    def _is_taken(self, place: int, image: ArchiveImage, row: Image | None) -> bool:
        """Counts the image as what it will be: new, one of the project's, or left out."""
        if image.entry is None:
            self.counts["missing"] += row is None
            source = image.labels.source if image.labels else ""
            self.problems.add(Kind.MISSING_FILE if row is None else Kind.FOUND_IN_PROJECT, image.path, source)
            return row is not None
        copy_of = self.survey.copy_of(place, image)
        if copy_of:
            self.problems.add(Kind.DUPLICATE_IMAGE, image.path, detail=f"as {copy_of}")
            return False
        if row is not None:
            self.counts["existing"] += 1
            self.problems.add(Kind.EXISTING_IMAGE, image.path, detail=row.filename)
            return True
        try:
            parse_item(item_of(image))
        except ItemRefused as refused:
            self.problems.add(Kind.REFUSED_FILE, image.path, detail=refused.error["message"])
            return False
        self.counts["new"] += 1
        self.new_bytes += image.size
        self.splits[image.about.split or "UNASSIGNED"] += 1
        if self.survey.names[image.filenames[0]] > 1:
            self.problems.add(Kind.SAME_NAME, image.path, detail=image.filenames[0])
        return True

    def _boxes(self, image: ArchiveImage, width: int, height: int) -> list[Place] | None:
        """The places of the boxes that will be written; None where the image stays without labels."""
        labels = image.labels
        if labels is None:
            self.problems.add(Kind.NO_ANNOTATION, image.path)
            self.counts["unlabelled"] += 1
            return None
        is_conflicting = self.survey.is_conflicting(image)
        if is_conflicting:
            self.problems.add(Kind.CONFLICTING_BOXES, image.path)
        if labels.box_count > MAX_BOXES:
            detail = f"{image.path}: {labels.box_count:,} boxes, {MAX_BOXES:,} at most"
            self.problems.add(Kind.TOO_MANY_BOXES, labels.source, detail=detail)
        found = fit(
            labels,
            width=width,
            height=height,
            classes=self.summary.classes,
            book=self._names,
            takes_boxes=self.project.takes_boxes,
        )
        for kind, places in found.notes.items():
            for where, detail in places:
                self.problems.add(kind, labels.source, where, f"{image.path}: {detail}")
        for box in labels.boxes:
            name = self.summary.classes[box.label].name
            if name not in self.book:
                self.problems.add(Kind.UNKNOWN_CLASS, labels.source, box.where, name)
        boxes = verdict(labels, found, is_conflicting=is_conflicting)
        self.counts["unlabelled" if boxes is None else "labelled"] += 1
        self.counts["good"] += boxes == []
        self.counts["boxes"] += len(boxes or ())
        return None if boxes is None else found.places

    def _compare(
        self, image: ArchiveImage, row: Image, places: list[Place] | None, drawn: dict[Any, list[Any]]
    ) -> None:
        if places is None or row.accepted_id is None:
            return
        same = all(label for label, *_ in places) and as_stored(places) == sorted(drawn.get(row.accepted_id, []))
        if not same:
            self.problems.add(Kind.EXISTING_DIFFERS, image.path, detail=row.filename)

    def hold_against(self, quota: Quota) -> None:
        """Tells what will not fit."""
        free, free_bytes = quota.images_limit - quota.images_used, quota.bytes_limit - quota.bytes_used
        if self.counts["new"] > free or self.new_bytes > free_bytes:
            detail = f"{self.counts['new']} images, {self.new_bytes} bytes; free: {free} images, {free_bytes} bytes"
            self.problems.add(Kind.OVER_QUOTA, "", detail=detail, count=max(1, self.counts["new"] - free))

    def report(self) -> dict[str, Any]:
        """The report, as the row keeps it."""
        drawn = self.survey.drawn
        classes = [
            {"name": label.name, "boxes": drawn[place], "known": label.name in self.book}
            for place, label in enumerate(self.summary.classes[:_CLASSES_TOLD])
            if drawn[place] or label.listed
        ]
        told = ("new", "existing", "missing", "labelled", "good", "unlabelled", "boxes")
        return {
            "format": self.summary.format,
            "images": self.summary.images,
            **{name: self.counts[name] for name in told},
            "classes": classes,
            "splits": dict(sorted(self.splits.items())),
            "problems": in_words(self.summary.problems, self.problems),
        }
