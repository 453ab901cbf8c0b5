"""Runs, while they learn and afterwards."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from projects.domain import queries as project_queries
from projects.models import Snapshot
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.refusals import Refusal
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage
from training.api.serializers import RunInput
from training.domain import queries, recipes, runs
from training.models import Run
from training.web.figures import figures
from training.web.telling import curve, told

A_PAGE = 20
# Offered to learn from.
MOST_SNAPSHOTS = 50


class RunsPage(TenantPage):
    """The project's runs, and the form that starts another."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}
    template = "training/runs.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = project_queries.project_named(project_id)
        rows = queries.runs(project_id).select_related("snapshot", "created_by__user")
        page = page_of_rows(rows, cursor=request.GET.get("cursor"), limit=A_PAGE)
        entries = [{"run": run, "told": told(run)} for run in page.rows]
        ready = project_queries.snapshots(project_id).filter(status=Snapshot.Status.READY)
        chosen = request.GET.get("snapshot", "")
        snapshots = list(ready.order_by("-id")[:MOST_SNAPSHOTS])
        return {
            "project": project,
            "part": "runs",
            "page": page,
            "entries": entries,
            "active": any(entry["told"].active for entry in entries),
            "snapshots": snapshots,
            "recipes": recipes.choices(project.kind),
            # What a snapshot's page leads here with.
            "chosen": chosen if any(str(one.id) == chosen for one in snapshots) else "",
            "last_took": next((entry["told"].took for entry in entries if entry["told"].model_id), None),
        }

    def act(self, request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
        """Starts a run."""
        given = {name: value for name, value in request.POST.items() if value}
        asked = form_values(RunInput, given)
        run = runs.start_run(
            project_id=project_id,
            by=self.seat.principal,
            snapshot_id=asked.get("snapshot"),
            recipe=asked["recipe"],
            seed=asked["seed"],
        )
        return redirect(self.address("run", run.id))


class RunPage(TenantPage):
    """One run. A POST cancels it."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.TRAIN}
    template = "training/run.html"
    section = "projects"

    def read(self, request: HttpRequest, run_id: uuid.UUID) -> dict[str, Any]:
        run = queries.run_named(run_id)
        return {
            "project": run.project,
            "part": "runs",
            "run": run,
            "told": told(run, queue=True),
            "author": run.created_by.user.name,
            "recipe": next((one for one in recipes.choices(run.project.kind) if one.name == run.recipe), None),
            "warnings": runs.warnings(run),
            "curve": curve(run),
            "published": _published(run),
        }

    def act(self, request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
        run = runs.cancel_run(run_id=run_id, by=self.seat.principal)
        if run.job.cancel_requested_at is not None:
            messages.success(request, f"Run {run.number} is canceled; what it has learned so far is dropped.")
        return redirect(self.address("run", run_id))


class RunStatePage(TenantPage):
    """The part of a run's page that changes, for the page to ask for while the run is active."""

    needs: ClassVar = {"GET": Permission.READ}
    template = "training/run_state.html"

    def read(self, request: HttpRequest, run_id: uuid.UUID) -> dict[str, Any]:
        run = queries.run_named(run_id)
        return {"run": run, "told": told(run, queue=True)}

    def rendered(
        self, request: HttpRequest, context: Mapping[str, Any], *, refusal: Refusal | None = None
    ) -> HttpResponse:
        """The part; once the run has ended, the whole page is to be read again."""
        answer = super().rendered(request, context, refusal=refusal)
        if not context["told"].active:
            answer["HX-Refresh"] = "true"
        return answer


def _published(run: Run) -> dict[str, Any] | None:
    """The figures of the model that the run published."""
    model_id = run.model_id  # type: ignore[attr-defined]  # annotated by training.domain.queries
    return figures(queries.model_named(model_id)) if model_id else None
