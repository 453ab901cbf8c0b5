"""Predictions against truth: as a gallery of the evaluated images, and of one image for the page that shows it."""

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from projects.domain import queries as project_queries
from projects.domain.images import thumbnail_addresses
from projects.models import Project
from tenants.api.views import TenantView
from tenants.permissions import Permission, Principal
from tenants.web.pages import TenantPage
from training.domain import galleries, mistakes, queries
from training.domain.galleries import Asked, Gallery, Sight
from training.models import Model
from training.web.drawing import LEGEND, drawing

_TITLES = {
    galleries.ALL: "All",
    galleries.MISSES: "Misses",
    galleries.FALSE_ALARMS: "False alarms",
    galleries.WRONG_CLASS: "Wrong class",
    galleries.CORRECT: "Correct",
}
# Of a model that tells good images from others, and no more.
_WITHOUT_CLASSES = {kind: title for kind, title in _TITLES.items() if kind != galleries.WRONG_CLASS}


class PredictionsPage(TenantPage):
    needs: ClassVar = {"GET": Permission.READ}
    template = "training/predictions.html"
    section = "projects"

    def read(self, request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
        model = queries.model_named(model_id)
        project = project_queries.project_named(model.project_id)
        return {"project": project, "part": "models", "model": model, "asked": _asked(request, model)}

    def sign(self, context: dict[str, Any]) -> None:
        """Reads the predictions from S3, which no scope may be open for, and with them the images' rows."""
        model, asked = context["model"], context["asked"]
        if not model.project.takes_boxes:
            context |= self._mistakes(model, asked)
            return
        gallery = galleries.show_gallery(model=model, asked=asked, by=self.seat.principal)
        addresses = thumbnail_addresses(
            (sight.image for sight in gallery.sights if sight.image is not None), by=self.seat.principal
        )
        names = [label["name"] for label in model.classes]
        context |= {
            "gallery": gallery,
            "evaluation": gallery.evaluation,
            "words": _words(gallery, names[asked.label] if asked.label is not None else None),
            "kinds": [
                {"kind": kind, "title": title, "count": (gallery.tally.images or {}).get(kind, 0)}
                for kind, title in _TITLES.items()
            ],
            "legend": LEGEND,
            "before": gallery.page - 1,
            "after": gallery.page + 1,
            "cards": [card_of(sight, names, addresses) for sight in gallery.sights],
        }

    def _mistakes(self, model: Model, asked: Asked) -> dict[str, Any]:
        found = mistakes.show_mistakes(model=model, kind=asked.kind, page=asked.page, by=self.seat.principal)
        titles = _TITLES if model.project.kind == Project.Kind.CLASSIFICATION else _WITHOUT_CLASSES
        return looks_of(found, by=self.seat.principal) | {
            "evaluation": found.evaluation,
            "mistakes": found,
            "shown": asked.kind,
            "kinds": [{"kind": kind, "title": title, "count": found.counts[kind]} for kind, title in titles.items()],
            "before": found.page - 1,
            "after": found.page + 1,
        }


class ImagePredictionsView(TenantView):
    """For the script of an image's page, below a tenant's address only."""

    needs: ClassVar = {"GET": Permission.READ}
    scoped = False

    def get(self, request: Request, model_id: uuid.UUID, image_id: uuid.UUID) -> Response:
        """What the model predicted of the image when it was evaluated."""
        found = galleries.predictions_of(model_id=model_id, image_id=image_id, by=self.principal)
        classes = found.model.classes
        predictions = [
            {
                "class": classes[one.label]["id"],
                "name": classes[one.label]["name"],
                "score": one.score,
                "bbox": list(one.place),
            }
            for one in (found.judged.found if found.judged else ())
        ]
        return Response(
            {
                "model": str(found.model.id),
                "number": found.model.number,
                "method": found.evaluation.method,
                "judged": found.judged is not None,
                "score": found.best,
                "predictions": predictions,
            }
        )


def _asked(request: HttpRequest, model: Model) -> Asked:
    """What the query string says; what of it cannot be is as if it was not there."""
    given = request.GET
    kind = given.get("show", galleries.ALL)
    ids = [label["id"] for label in model.classes]
    label = given.get("class", "")
    try:
        score = float(given["score"])
    except (KeyError, ValueError):
        score = None
    page = given.get("page", "")
    return Asked(
        kind=kind if kind in galleries.KINDS else galleries.ALL,
        label=ids.index(label) if label in ids else None,
        score=score if score is not None and 0 <= score <= 1 else None,
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _words(gallery: Gallery, label: str | None) -> str:
    """`5 of 16 defects found, 1 of them …` as one would say it."""
    tally = gallery.tally
    defects = f"{label} boxes" if label else "defects"
    parts = [f"{tally.found} of {tally.defects} {defects} found"]
    if tally.wrong:
        parts.append(f"{tally.wrong} under a wrong class")
    if tally.missed:
        parts.append(f"{tally.missed} missed")
    parts.append(_counted(tally.false_alarms, "false alarm"))
    return ", ".join(parts)


def looks_of(found: mistakes.Mistakes, *, by: Principal) -> dict[str, Any]:
    """Images of a gallery of mistakes with the addresses of their thumbnails, and what it says in words."""
    addresses = thumbnail_addresses((look.image for look in found.looks if look.image is not None), by=by)
    right, count = found.counts[galleries.CORRECT], found.counts[galleries.ALL]
    wrong = ((galleries.MISSES, "missed"), (galleries.WRONG_CLASS, "under a wrong class"))
    parts = [f"{right} of {_counted(count, 'image')} told rightly"]
    parts += [f"{found.counts[kind]} {words}" for kind, words in wrong if found.counts[kind]]
    parts.append(_counted(found.counts[galleries.FALSE_ALARMS], "false alarm"))
    looks = [vars(look) | {"address": addresses.get(look.image.id, "") if look.image else ""} for look in found.looks]
    return {"looks": looks, "words": ", ".join(parts)}


def card_of(sight: Sight, names: list[str], addresses: dict[uuid.UUID, str]) -> dict[str, Any]:
    image, verdicts = sight.image, sight.verdicts
    said = [
        *(("missed", names[box.label], "") for box in verdicts.missed),
        *(
            ("wrong", f"{names[box.label]} taken for {names[found.label]}", found.score)
            for found, box in verdicts.wrong
        ),
        *(("alarm", f"false alarm: {names[found.label]}", found.score) for found in verdicts.false_alarms),
        *(("found", names[box.label], found.score) for found, box in verdicts.found),
    ]
    return {
        "id": sight.id,
        "image": image,
        "address": addresses.get(image.id, "") if image else "",
        "drawing": drawing(image, verdicts, names) if image else None,
        "said": said,
        "errors": verdicts.errors,
        "good": verdicts.is_empty,
    }


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
