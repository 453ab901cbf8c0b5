"""The label book's classes: made, changed, deleted."""

import uuid

from django.db import IntegrityError, transaction
from django.utils import timezone

from projects.domain.projects import NameTaken
from projects.domain.queries import class_named, project_named
from projects.models import DefectClass
from tenants import audit
from tenants.permissions import Principal
from tenants.refusals import Expectation

# Given to new classes in turn: told apart by most eyes, on light and on dark photographs.
COLORS = ("#d97706", "#0891b2", "#c026d3", "#65a30d", "#dc2626", "#4f46e5", "#0d9488", "#db2777")


def create_class(*, project_id: uuid.UUID, by: Principal, **fields: str) -> DefectClass:
    """Adds a class to a project's label book, in the next color unless one is given. Raises NotFound or NameTaken."""
    project = project_named(project_id)
    if "color" not in fields:
        fields["color"] = COLORS[DefectClass.objects.filter(project=project).count() % len(COLORS)]
    try:
        with transaction.atomic():
            made = DefectClass.objects.create(project=project, **fields)
    except IntegrityError as error:
        raise NameTaken("class", fields["name"]) from error
    audit.record("class.created", by=by, target=made.id, name=made.name)
    return made


def update_class(
    *, class_id: uuid.UUID, by: Principal, expect: Expectation | None = None, **changes: str
) -> DefectClass:
    """Raises NotFound, NameTaken, or what `expect` raises of the class."""
    found = class_named(class_id, lock=True)
    if expect is not None:
        expect(found)
    if not changes:
        return found
    for field, value in changes.items():
        setattr(found, field, value)
    try:
        with transaction.atomic():
            found.save(update_fields=list(changes))
    except IntegrityError as error:
        raise NameTaken("class", found.name) from error
    audit.record("class.updated", by=by, target=found.id, changes=changes)
    return found


def delete_class(*, class_id: uuid.UUID, by: Principal, expect: Expectation | None = None) -> None:
    """Hides a class; what was labelled with it stays. Raises NotFound, or what `expect` raises of the class."""
    found = class_named(class_id, lock=True)
    if expect is not None:
        expect(found)
    DefectClass.objects.filter(id=found.id).update(deleted_at=timezone.now())
    audit.record("class.deleted", by=by, target=found.id, name=found.name)
