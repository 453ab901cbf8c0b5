"""Reads of the current tenant's projects and images. The doors for ids that users supply."""

import uuid
from collections.abc import Mapping

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Func, OuterRef, QuerySet, TextField, Value

from projects.models import DefectClass, Image, ImageClass, Project
from tenants.models import Job
from tenants.refusals import Invalid, NotFound


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


def class_named(class_id: uuid.UUID) -> DefectClass:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    found = DefectClass.objects.filter(id=class_id, deleted_at=None, project__deleted_at=None).first()
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


def images(project_id: uuid.UUID, *, filters: Mapping[str, str]) -> QuerySet[Image]:
    """The project's images that match every filter: `status`, `split`, `class`, `job`, `filename`, `meta.NAME`.

    Raises Invalid on a filter that cannot be, NotFound on an id that is not there.
    """
    rows = Image.objects.filter(project=project_named(project_id), deleted_at=None)
    for name, value in filters.items():
        if "\x00" in name + value:
            raise Invalid(name, "A filter holds no NUL character.")
        rows = _filtered(rows, name, value)
    return with_classes(rows)


def _filtered(rows: QuerySet[Image], name: str, value: str) -> QuerySet[Image]:
    if name in ("status", "split"):
        choices = Image.Status.values if name == "status" else Image.Split.values
        if value not in choices:
            raise Invalid(name, f"`{name}` must be one of {', '.join(choices)}.")
        return rows.filter(**{name: value})
    if name == "class":
        shown = ImageClass.objects.filter(defect_class=class_named(_id(name, value)), image_id=OuterRef("id"))
        return rows.filter(Exists(shown))
    if name == "job":
        job = Job.objects.filter(id=_id(name, value)).first()
        if job is None:
            raise NotFound
        return rows.filter(job=job)
    if name == "filename":
        return rows.filter(filename=value)
    if name.startswith("meta."):
        # Not Django's key transform, which takes a name of digits for an index.
        key = Value(name.removeprefix("meta."))
        text = Func(F("metadata"), key, function="jsonb_extract_path_text", output_field=TextField())
        return rows.alias(meta_value=text).filter(meta_value=Value(value))
    raise Invalid(name, f"There is no filter {name!r}.", hint="See the schema at /api/v1/schema.")


def _id(name: str, value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError as error:
        raise Invalid(name, f"`{name}` must be an id.") from error
