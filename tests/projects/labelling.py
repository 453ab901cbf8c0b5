"""Images that can be annotated, and what a labeler's client says of them."""

import hashlib
from typing import Any

from django.db.models import Count

from projects.models import Box, DefectClass, Image, ImageClass, Project
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.files import described
from tests.projects.uploading import post


def ready(person: Person, project: str, *numbers: int, width: int = 100, height: int = 80, **said: Any) -> list[str]:
    """READY images of these numbers, named `0.jpg` and so on unless `said` otherwise; without objects behind them."""
    files = [described(number, **said) for number in numbers]
    answer = post(person, f"projects/{project}/images/register", {"files": files})
    assert answer.status_code == 200, answer.content
    images = [str(line["image"]) for line in answer.json()["results"]]
    with tenant_scope(person.tenant.id):
        for image in images:
            stored = hashlib.sha256(image.encode()).hexdigest()
            whole = {"stored_sha256": stored, "thumbnail_sha256": stored, "width": width, "height": height}
            Image.objects.filter(id=image).update(status=Image.Status.READY, stored_type="image/jpeg", **whole)
    return images


def book(person: Person, project: str, *names: str) -> list[str]:
    """Adds classes to the label book; their ids."""
    return [post(person, f"projects/{project}/classes", {"name": name}).json()["id"] for name in names]


def box(label: str, *bbox: float) -> dict[str, Any]:
    return {"class": label, "bbox": list(bbox or (10, 10, 20, 20))}


def said(image: str | None, *boxes: Any, **more: Any) -> dict[str, Any]:
    """An item of a call."""
    return {"image": image, "boxes": list(boxes), **more}


def annotated(person: Person, project: str, *items: Any) -> list[dict[str, Any]]:
    """The lines of the answer."""
    answer = post(person, f"projects/{project}/annotations", {"annotations": list(items)})
    assert answer.status_code == 200, answer.content
    lines: list[dict[str, Any]] = answer.json()["results"]
    assert [line["index"] for line in lines] == list(range(len(items)))
    return lines


def refused(person: Person, project: str, item: Any) -> dict[str, str]:
    """The error of one item, of which nothing was written."""
    (line,) = annotated(person, project, item)
    assert line["status"] == "REJECTED", line
    assert "annotation" not in line
    error: dict[str, str] = line["error"]
    assert error["message"]
    assert error["hint"]
    return error


def versions(person: Person, image: str) -> list[dict[str, Any]]:
    """What was said of the image, newest first."""
    answer = person.api.get(f"/api/v1/images/{image}/annotations?limit=500")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def counters(person: Person, project: str) -> dict[str, Any]:
    """The stored counters: class → (images, boxes), and how many images are labelled."""
    with tenant_scope(person.tenant.id):
        rows = DefectClass.objects.filter(project_id=project).values_list("name", "image_count", "box_count")
        classes = {name: (images, boxes) for name, images, boxes in rows}
        return {"labelled": Project.objects.get(id=project).labelled_count, **classes}


def recounted(person: Person, project: str) -> dict[str, Any]:
    """What the counters must be, from the accepted annotations themselves."""
    with tenant_scope(person.tenant.id):
        images = Image.objects.filter(project_id=project, deleted_at=None, project__deleted_at=None)
        accepted = list(images.exclude(accepted=None).values_list("accepted_id", flat=True))
        boxes = Box.objects.filter(annotation_id__in=accepted).values("defect_class_id")
        found = boxes.annotate(shown=Count("annotation_id", distinct=True), drawn=Count("id"))
        by_class = {line["defect_class_id"]: (line["shown"], line["drawn"]) for line in found}
        names = DefectClass.objects.filter(project_id=project).values_list("id", "name")
        return {"labelled": len(accepted), **{name: by_class.get(id_, (0, 0)) for id_, name in names}}


def shown_classes(person: Person, project: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Image → names of the classes it shows, by the rows that the filter asks, and by its accepted boxes."""
    with tenant_scope(person.tenant.id):
        images = list(Image.objects.filter(project_id=project, deleted_at=None).exclude(accepted=None))
        by_rows = {image.filename: set[str]() for image in images}
        by_boxes = {image.filename: set[str]() for image in images}
        for name, label in ImageClass.objects.filter(image__in=images).values_list(
            "image__filename", "defect_class__name"
        ):
            by_rows[name].add(label)
        for name, label in Box.objects.filter(annotation_id__in=[image.accepted_id for image in images]).values_list(
            "annotation__image__filename", "defect_class__name"
        ):
            by_boxes[name].add(label)
    return by_rows, by_boxes
