"""One photograph with its boxes, or its one class: looked at, annotated, described."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest

from projects.domain import queries
from projects.domain.images import address_of
from projects.domain.neighbors import neighbors
from projects.models import Annotation, Box, DefectClass, Image
from tenants.permissions import Permission
from tenants.web.pages import TenantPage

# Of the versions of an annotation, which the page lists; the API knows all of them.
MOST_VERSIONS = 50
# What of the query string belongs to the gallery's paging, not to its filter.
_PAGING = ("cursor", "limit")


class ImagePage(TenantPage):
    needs: ClassVar = {"GET": Permission.READ}
    template = "projects/image.html"
    section = "projects"

    def read(self, request: HttpRequest, image_id: uuid.UUID) -> dict[str, Any]:
        image = queries.image_named(image_id)
        project = queries.project_named(image.project_id)
        versions = list(queries.versions(image)[:MOST_VERSIONS])
        boxes = list(queries.boxes_of(image.accepted_id)) if image.accepted_id else []
        shown = _shown_classes(queries.label_classes(project), boxes)
        filters = {name: str(value) for name, value in request.GET.items() if value and name not in _PAGING}
        beside = neighbors(image, project=project, filters=filters)
        may_label = self.seat.principal.may(Permission.LABEL) and image.status == Image.Status.READY
        if not project.takes_boxes:
            _say(versions, queries.classes_said(versions))
        return {
            "project": project,
            "part": "images",
            "image": image,
            "ready": image.status == Image.Status.READY,
            "may_label": may_label,
            # With an editor of boxes; else what the whole image shows is chosen.
            "draws": may_label and project.takes_boxes,
            "versions": versions,
            "classes": shown,
            "said": str(boxes[0].defect_class_id) if boxes else "",
            "shows": [label for label in shown if label["id"] in {str(one) for one in image.class_ids}],  # type: ignore[attr-defined]  # annotated by projects.domain.queries.with_classes
            "boxes": [_box(box) for box in boxes],
            "beside": beside,
            "carried": _carried(request),
            "splits": Image.Split.choices,
            "drawn": {
                "image": str(image.id),
                "project": str(project.id),
                "filename": image.filename,
                "status": image.status,
                "width": image.width,
                "height": image.height,
                "mayLabel": may_label and project.takes_boxes,
                "number": versions[0].number if versions else 0,
                "classes": shown,
                "boxes": [_sent(box) for box in boxes] if project.takes_boxes else [],
            },
        }

    def sign(self, context: dict[str, Any]) -> None:
        context["address"] = (
            address_of(context["image"], which="image", by=self.seat.principal) if context["ready"] else ""
        )


def _shown_classes(label_book: Iterable[DefectClass], boxes: Sequence[Box]) -> list[dict[str, Any]]:
    """The label book, then those deleted from it that boxes of the image are still of."""
    known = {label.id: label for label in label_book}
    gone = {box.defect_class_id: box.defect_class for box in boxes if box.defect_class_id not in known}
    return [
        {"id": str(label.id), "name": label.name, "color": label.color, "deleted": label.id in gone}
        for label in (*known.values(), *gone.values())
    ]


def _say(versions: Iterable[Annotation], names: Mapping[uuid.UUID, str]) -> None:
    """Adds what each version says of the whole image: the name of a class, or nothing of a good one."""
    for version in versions:
        version.said = names.get(version.id, "")  # type: ignore[attr-defined]  # for the template alone


def _sent(box: Box) -> dict[str, Any]:
    """As the page's script takes it, and sends it."""
    return {"class": str(box.defect_class_id), "bbox": _bbox(box)}


def _bbox(box: Box) -> list[float]:
    return [box.x, box.y, box.width, box.height]


def _box(box: Box) -> dict[str, Any]:
    """For the page as it is before its script runs."""
    return {"name": box.defect_class.name, "color": box.defect_class.color, "bbox": _bbox(box)}


def _carried(request: HttpRequest) -> str:
    """The gallery's filter, for the addresses of the neighbors: `?split=TEST`, or nothing."""
    query = request.GET.copy()
    for name in _PAGING:
        query.pop(name, None)
    return f"?{query.urlencode()}" if query else ""
