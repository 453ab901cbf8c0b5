"""Models: how good they are, what they came from, what they make of pictures, and their files."""

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.domain.images import thumbnail_addresses
from projects.domain.queries import project_named
from tenants.models import Job
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.web.pages import TenantPage
from training.domain import answering, comparing, galleries, mistakes, models, queries
from training.domain.galleries import Asked
from training.models import Model
from training.web.drawing import LEGEND
from training.web.figures import figures, main_name
from training.web.intervals import gap
from training.web.predictions import card_of, looks_of

A_PAGE = 20
HISTORY = 10
# Offered to compare with.
MOST_COMPARED = 50
EXAMPLES = 6


class ModelsPage(TenantPage):
    """The project's models, which of them answers, and what answered before."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "training/models.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = project_named(project_id)
        rows = queries.models(project_id).select_related("snapshot")
        page = page_of_rows(rows, cursor=request.GET.get("cursor"), limit=A_PAGE)
        history = answering.answered(project_id, most=HISTORY)
        return {
            "project": project,
            "part": "models",
            "page": page,
            "entries": [figures(model) for model in page.rows],
            "main_name": main_name(project.kind),
            "history": history,
            "answers": history[0] if history else None,
        }


class ModelPage(TenantPage):
    """One model. `?with=` names another one that it is compared with."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "training/model.html"
    section = "projects"

    def read(self, request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
        model = queries.model_named(model_id)
        run = queries.run_named(model.run_id)
        history = answering.answered(model.project_id, most=1)
        return figures(model) | {
            "project": model.project,
            "part": "models",
            "run": run,
            "author": run.created_by.user.name,
            "answers": history[0] if history else None,
            "others": list(queries.comparable_models(model)[:MOST_COMPARED]),
            "other": _other(request),
            "export": export_of(model),
            "lineage": _plain(model.lineage),
        }

    def sign(self, context: dict[str, Any]) -> None:
        """Compares, where that was asked for: what both predicted is read from S3."""
        if context["other"] is None:
            return
        with self.telling(context, "not_compared"):
            found = comparing.compare_models(
                model_id=context["other"], with_id=context["model"].id, by=self.seat.principal
            )
            rows = [gap("All classes", found.ap50), *(gap(one.name, one.ap50) for one in found.classes)]
            context |= {"compared": found, "verdict": _verdict(found), "gaps": [row for row in rows if row]}


class ModelExamplesPage(TenantPage):
    """A few evaluated images with what was found, for the page of a model to ask for; its files are in S3."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "training/model_examples.html"

    def read(self, request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
        return {"model": queries.model_named(model_id)}

    def sign(self, context: dict[str, Any]) -> None:
        model = context["model"]
        with self.telling(context, "not_shown"):
            if not model.project.takes_boxes:
                found = mistakes.show_mistakes(model=model, by=self.seat.principal)
                context |= looks_of(dataclasses.replace(found, looks=found.looks[:EXAMPLES]), by=self.seat.principal)
                return
            gallery = galleries.show_gallery(model=model, asked=Asked(), by=self.seat.principal)
            sights = [sight for sight in gallery.sights if sight.image is not None][:EXAMPLES]
            addresses = thumbnail_addresses(
                (sight.image for sight in sights if sight.image is not None), by=self.seat.principal
            )
            names = [label["name"] for label in model.classes]
            context |= {
                "gallery": gallery,
                "legend": LEGEND,
                "cards": [card_of(sight, names, addresses) for sight in sights],
            }


class ModelExportPage(TenantPage):
    """The exported file: asked for by a POST; a GET is the part of the page that tells how far it is."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}
    template = "training/model_export.html"

    def read(self, request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
        model = queries.model_named(model_id)
        return {"model": model, "export": export_of(model)}

    def act(self, request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
        model, job = models.export_model(model_id=model_id, by=self.seat.principal)
        if job is None:
            messages.success(request, f"Model {model.number} is exported already.")
        return redirect(self.address("model", model_id) + "#export")


def export_of(model: Model) -> dict[str, Any]:
    """Where the exported file stands: `ready`, `active` with its percent, or `error`; all false before it was asked."""
    job = models.export_job(model) if model.export is None else None
    progress = job.progress if job else {}
    return {
        "ready": model.export,
        "active": job is not None and job.state in Job.ACTIVE,
        "percent": round(100 * progress.get("done", 0) / progress["total"]) if progress.get("total") else None,
        "words": progress.get("message", ""),
        "error": job.error if job and job.state == Job.State.FAILED else None,
    }


def _plain(lineage: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Its entries without nesting, by name."""
    lines = []
    for name, value in lineage.items():
        nested = value.items() if isinstance(value, dict) else [("", value)]
        lines += [(f"{name} {inner}".strip(), found) for inner, found in nested]
    return sorted(lines)


def _other(request: HttpRequest) -> uuid.UUID | None:
    """The model that is to be compared with; what is no id is as if nothing was asked."""
    try:
        return uuid.UUID(request.GET.get("with", ""))
    except ValueError:
        return None


def _verdict(found: comparing.Comparison) -> str:
    """`b` is the model of the page, `a` the other one."""
    here, there = f"Model {found.b.number}", f"model {found.a.number}"
    if found.verdict == "CANNOT_TELL":
        return f"{here} and {there} cannot be told apart on these images."
    return f"{here} is {'better' if found.verdict == 'B_BETTER' else 'worse'} than {there}."
