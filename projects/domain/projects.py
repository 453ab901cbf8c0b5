"""Projects: made, changed, deleted."""

import uuid

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from projects.domain.queries import project_named
from projects.models import DefectClass, Image, Project
from tenants import audit
from tenants.domain.quotas import lock_quota, release, reserve
from tenants.permissions import Principal
from tenants.refusals import Expectation, Refusal


class NameTaken(Refusal):
    code = "name_taken"
    title = "The name is taken"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is a {what} named {name!r} already.", hint="Choose another name.")


def create_project(*, name: str, kind: str, description: str = "", by: Principal) -> Project:
    """Raises NameTaken or QuotaExceeded."""
    reserve(resource="projects", amount=1)
    try:
        with transaction.atomic():
            project = Project.objects.create(name=name, kind=kind, description=description)
    except IntegrityError as error:
        raise NameTaken("project", name) from error
    audit.record("project.created", by=by, target=project.id, name=name, kind=kind)
    return project


def update_project(
    *, project_id: uuid.UUID, by: Principal, expect: Expectation | None = None, **changes: str
) -> Project:
    """Changes `name` or `description`. Raises NotFound, NameTaken, or what `expect` raises of the project."""
    project = project_named(project_id, lock=True)
    if expect is not None:
        expect(project)
    if not changes:
        return project
    for field, value in changes.items():
        setattr(project, field, value)
    try:
        with transaction.atomic():
            project.save(update_fields=list(changes))
    except IntegrityError as error:
        raise NameTaken("project", project.name) from error
    audit.record("project.updated", by=by, target=project.id, changes=changes)
    return project


def delete_project(*, project_id: uuid.UUID, by: Principal, expect: Expectation | None = None) -> None:
    """Hides a project and its images; an erase job removes them after 30 days.

    Raises NotFound, or what `expect` raises of the project.
    """
    # The quota's lock first, as in registration: the two must not wait for each other.
    lock_quota()
    project = project_named(project_id, lock=True)
    if expect is not None:
        expect(project)
    now = timezone.now()
    images = Image.objects.filter(project=project, deleted_at=None)
    size = images.aggregate(total=Sum("size"))["total"] or 0
    count = images.update(deleted_at=now)
    Project.objects.filter(id=project.id).update(deleted_at=now, image_count=0, labelled_count=0)
    DefectClass.objects.filter(project=project).update(image_count=0, box_count=0)
    release(images=count, bytes=size, projects=1)
    audit.record("project.deleted", by=by, target=project.id, images=count)
