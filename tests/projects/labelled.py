"""Labelled images without their bytes: rows as ingest and a labeler leave them."""

import hashlib
from typing import Any

from django.db.models import F

from projects.models import Annotation, Box, DefectClass, Image, Project, Snapshot
from tenants.domain.quotas import add_usage, lock_quota
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.uploading import post

# Class, x, y, width, height.
Drawn = tuple[str, float, float, float, float]


def book(person: Person, project: str, *names: str) -> list[str]:
    """Adds classes to the label book; their ids."""
    return [post(person, f"projects/{project}/classes", {"name": name}).json()["id"] for name in names]


def ready(person: Person, project: str, filename: str, **changes: Any) -> str:
    """A READY image that nobody has labelled; its id."""
    with tenant_scope(person.tenant.id):
        seed = f"{filename}:{Image.objects.count()}"
        sha256 = hashlib.sha256(seed.encode()).hexdigest()
        fields = {
            "project_id": project,
            "filename": filename,
            "status": Image.Status.READY,
            "sha256": sha256,
            "stored_sha256": sha256,
            "thumbnail_sha256": sha256,
            "content_type": "image/png",
            "stored_type": "image/png",
            "size": 1000,
            "width": 640,
            "height": 480,
            "split": Image.Split.TRAIN,
        }
        add_usage(lock_quota(), images=1, bytes=1000)
        Project.objects.filter(id=project).update(image_count=F("image_count") + 1)
        return str(Image.objects.create(**fields | changes).id)


def label(person: Person, image: str, *boxes: Drawn) -> str:
    """Another version of what is said of an image, accepted at once; its id. Classes by name or id."""
    with tenant_scope(person.tenant.id):
        shown = Image.objects.get(id=image)
        classes = DefectClass.objects.filter(project_id=shown.project_id)
        ids = {name: made.id for made in classes for name in (made.name, str(made.id))}
        version = Annotation.objects.create(
            image=shown,
            number=shown.annotations.count() + 1,
            author_id=person.seat.member.id,
            box_count=len(boxes),
        )
        for name, x, y, width, height in boxes:
            Box.objects.create(annotation=version, defect_class_id=ids[name], x=x, y=y, width=width, height=height)
        Image.objects.filter(id=image).update(accepted=version)
        _recount(str(shown.project_id))
        return str(version.id)


def _recount(project: str) -> None:
    accepted = Image.objects.filter(project_id=project, deleted_at=None, accepted__isnull=False)
    Project.objects.filter(id=project).update(labelled_count=accepted.count())
    for made in DefectClass.objects.filter(project_id=project):
        boxes = Box.objects.filter(defect_class=made, annotation_id__in=accepted.values("accepted_id"))
        images = boxes.values("annotation_id").distinct().count()
        DefectClass.objects.filter(id=made.id).update(box_count=boxes.count(), image_count=images)


def labelled(person: Person, project: str, filename: str, *boxes: Drawn, **changes: Any) -> str:
    """A READY image with its first annotation; its id."""
    image = ready(person, project, filename, **changes)
    label(person, image, *boxes)
    return image


def snapshot_of(person: Person, project: str, note: str = "") -> dict[str, Any]:
    """Asks for a snapshot; how it looks then."""
    answer = post(person, f"projects/{project}/snapshots", {"note": note})
    assert answer.status_code == 202, answer.content
    made: dict[str, Any] = answer.json()
    return made


def shown(person: Person, snapshot: dict[str, Any]) -> dict[str, Any]:
    """How it looks now."""
    answer = person.api.get(f"/api/v1/snapshots/{snapshot['id']}")
    assert answer.status_code == 200, answer.content
    now: dict[str, Any] = answer.json()
    return now


def snapshot_row(person: Person, snapshot: dict[str, Any]) -> Snapshot:
    """As it stands in the database."""
    with tenant_scope(person.tenant.id):
        return Snapshot.objects.select_related("job").get(id=snapshot["id"])
