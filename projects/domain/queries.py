"""Reads of the current tenant's projects and images. The doors for ids that users supply."""

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Func, OuterRef, Prefetch, QuerySet, TextField, Value

from projects.models import Annotation, Box, DefectClass, Image, ImageClass, Project, Snapshot, SnapshotExport
from tenants.models import Job
from tenants.refusals import Invalid, NotFound

_CHOICES = {"status": Image.Status.values, "split": Image.Split.values, "labelled": ["true", "false"]}


def projects() -> QuerySet[Project]:
    return Project.objects.filter(deleted_at=None)


def project_named(project_id: uuid.UUID, *, lock: bool = False) -> Project:
    """Raises NotFound when it is missing, deleted, or another tenant's."""
    rows = projects().select_for_update() if lock else projects()
    project = rows.filter(id=project_id).first()
    if project is None:
        raise NotFound
    return project


def classes(project_id: uuid.UUID) -> QuerySet[DefectClass]:
    return DefectClass.objects.filter(project=project_named(project_id), deleted_at=None)


def label_classes(project: Project) -> QuerySet[DefectClass]:
    """The label book's classes in the order they were made, of a project that was read already."""
    return DefectClass.objects.filter(project=project, deleted_at=None).order_by("id")


def label_book(project: Project) -> dict[str, uuid.UUID]:
    """Name or id, as a text → the class, so that a batch may name classes either way."""
    rows = DefectClass.objects.filter(project=project, deleted_at=None).values_list("id", "name")
    return {key: class_id for class_id, name in rows for key in (str(class_id), name)}


def class_named(class_id: uuid.UUID, *, lock: bool = False) -> DefectClass:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    rows = DefectClass.objects.filter(id=class_id, deleted_at=None, project__deleted_at=None)
    if lock:
        rows = rows.select_for_update(of=("self",))
    found = rows.first()
    if found is None:
        raise NotFound
    return found


def image_named(image_id: uuid.UUID, *, lock: bool = False) -> Image:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    rows = Image.objects.filter(id=image_id, deleted_at=None, project__deleted_at=None)
    if lock:
        rows = rows.select_for_update(of=("self",))
    image = with_classes(rows).first()
    if image is None:
        raise NotFound
    return image


def with_classes(rows: QuerySet[Image]) -> QuerySet[Image]:
    """The images with `class_ids`, the classes each shows, in the same query (a prefetch costs a third more a page)."""
    shown = ImageClass.objects.filter(image_id=OuterRef("id")).order_by("id")
    return rows.annotate(class_ids=ArraySubquery(shown.values("defect_class_id")))


def annotations(image_id: uuid.UUID) -> QuerySet[Annotation]:
    """All versions of an image's annotation. Raises NotFound."""
    return _with_boxes(Annotation.objects.filter(image=image_named(image_id)))


def annotation_named(annotation_id: uuid.UUID) -> Annotation:
    """Raises NotFound when it, its image or its project is missing, deleted, or another tenant's."""
    rows = Annotation.objects.filter(id=annotation_id, image__deleted_at=None, image__project__deleted_at=None)
    found = _with_boxes(rows).first()
    if found is None:
        raise NotFound
    return found


def versions(image: Image) -> QuerySet[Annotation]:
    """All versions of an image's annotation with their authors and without their boxes, newest first."""
    return Annotation.objects.filter(image=image).select_related("author__user").order_by("-number")


def boxes_of(annotation_id: uuid.UUID) -> QuerySet[Box]:
    """The boxes of a version with their classes, deleted ones included, in the order they were given."""
    return Box.objects.filter(annotation_id=annotation_id).select_related("defect_class").order_by("id")


def classes_said(versions: Iterable[Annotation]) -> dict[uuid.UUID, str]:
    """The name of the class that each version says the whole image shows; without those that call it good."""
    boxes = Box.objects.filter(annotation_id__in=[version.id for version in versions])
    return dict(boxes.values_list("annotation_id", "defect_class__name"))


def _with_boxes(rows: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """With author, image, project, and the boxes in the order they were given."""
    boxes = Box.objects.select_related("defect_class").order_by("id")
    return rows.select_related("author__user", "image__project").prefetch_related(Prefetch("boxes", boxes))


def ready_images(project_id: uuid.UUID, image_ids: Collection[uuid.UUID]) -> QuerySet[Image]:
    """Those of the images that are there, READY, and of the project."""
    return Image.objects.filter(
        project_id=project_id, id__in=image_ids, deleted_at=None, status=Image.Status.READY, project__deleted_at=None
    )


def labelled_images(project: Project) -> QuerySet[Image]:
    """What a snapshot would hold now."""
    ready = Image.objects.filter(project=project, deleted_at=None, status=Image.Status.READY)
    return ready.filter(accepted__isnull=False, project__deleted_at=None)


def snapshots(project_id: uuid.UUID) -> QuerySet[Snapshot]:
    return _with_jobs(Snapshot.objects.filter(project=project_named(project_id)))


def snapshot_named(snapshot_id: uuid.UUID) -> Snapshot:
    """With its project and who made it. Raises NotFound when it or the project is missing, deleted, or another's."""
    rows = Snapshot.objects.filter(id=snapshot_id, project__deleted_at=None)
    found = _with_jobs(rows).select_related("job", "project", "created_by__user").first()
    if found is None:
        raise NotFound
    return found


def _with_jobs(rows: QuerySet[Snapshot]) -> QuerySet[Snapshot]:
    """With the jobs, which say how those stand that are not READY."""
    return rows.select_related("job").defer("job__spec", "job__traceback")


def exports(snapshot_id: uuid.UUID) -> QuerySet[SnapshotExport]:
    """Those of a snapshot whose files are, or may come to be, there; and those that failed. Newest first by id."""
    rows = SnapshotExport.objects.filter(snapshot=snapshot_named(snapshot_id))
    return _exports_with_jobs(rows.exclude(status=SnapshotExport.Status.EXPIRED))


def export_named(export_id: uuid.UUID) -> SnapshotExport:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    rows = SnapshotExport.objects.filter(id=export_id, snapshot__project__deleted_at=None)
    found = _exports_with_jobs(rows.select_related("snapshot__project")).first()
    if found is None:
        raise NotFound
    return found


def _exports_with_jobs(rows: QuerySet[SnapshotExport]) -> QuerySet[SnapshotExport]:
    return rows.select_related("job").defer("job__spec", "job__traceback")


def images(project_id: uuid.UUID, *, filters: Mapping[str, str]) -> QuerySet[Image]:
    """As `images_of`. Raises NotFound for the project as well."""
    return images_of(project_named(project_id), filters=filters)


def images_of(project: Project, *, filters: Mapping[str, str]) -> QuerySet[Image]:
    """The project's images that match every filter.

    The filters are `status`, `split`, `labelled`, `class`, `job`, `filename`, `filename_contains` and `meta.NAME`.
    Raises Invalid on a filter that cannot be, NotFound on an id that is not there.
    """
    rows = Image.objects.filter(project=project, deleted_at=None)
    for name, value in filters.items():
        if "\x00" in name + value:
            raise Invalid(name, "A filter holds no NUL character.")
        rows = _filtered(rows, name, value)
    return with_classes(rows)


def _filtered(rows: QuerySet[Image], name: str, value: str) -> QuerySet[Image]:
    if name in _CHOICES:
        return _of_choice(rows, name, value)
    if name == "class":
        shown = ImageClass.objects.filter(defect_class=class_named(_id(name, value)), image_id=OuterRef("id"))
        return rows.filter(Exists(shown))
    if name == "job":
        return rows.filter(job=_job_named(_id(name, value)))
    if name == "filename":
        return rows.filter(filename=value)
    if name == "filename_contains":
        return rows.filter(filename__icontains=value)
    if name.startswith("meta."):
        # Not Django's key transform, which takes a name of digits for an index.
        key = Value(name.removeprefix("meta."))
        text = Func(F("metadata"), key, function="jsonb_extract_path_text", output_field=TextField())
        return rows.alias(meta_value=text).filter(meta_value=Value(value))
    hint = "Take it out; the schema names the filters there are (GET /api/v1/schema)."
    raise Invalid(name, f"There is no filter {name!r}.", hint=hint)


def _of_choice(rows: QuerySet[Image], name: str, value: str) -> QuerySet[Image]:
    if value not in _CHOICES[name]:
        raise Invalid(name, f"`{name}` must be one of {', '.join(_CHOICES[name])}.")
    if name != "labelled":
        return rows.filter(**{name: value})
    if value == "false":
        return rows.filter(accepted=None)
    return rows.filter(accepted__isnull=False, status=Image.Status.READY)  # which it is; so that the index serves


def _job_named(job_id: uuid.UUID) -> Job:
    job = Job.objects.filter(id=job_id).first()
    if job is None:
        raise NotFound
    return job


def _id(name: str, value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError as error:
        raise Invalid(name, f"`{name}` must be an id.") from error
