"""How far a project has come: photographs, labels, snapshot, run, model, promotion.

The apps above this one know of runs, models and promotions; each registers here what its part of the answer is, as an
expression over a project's row, so that all of it is read with the project in one query.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery

from projects.domain.queries import projects
from projects.models import Project, Snapshot
from tenants.models import Job
from tenants.refusals import NotFound

# Photographs, and labels, that a first model wants.
ENOUGH = 50

# Built anew for each query: an expression over tenants' rows can be made in a scope only.
Measure = Callable[[], Any]
_measures: dict[str, Measure] = {}


@dataclass(frozen=True)
class Step:
    """One step of the way. `state` is `done`, `next` (the first that is not) or `later`."""

    name: str
    state: str
    # What the step's measure said: a number, a state, an id; None where there is nothing yet.
    found: Any = None


def register(name: str, measure: Measure) -> None:
    """Makes a measure known: an expression over `OuterRef("id")` of a project. Called once, when Django is ready."""
    _measures[name] = measure


def steps(*, project_id: uuid.UUID) -> tuple[Project, list[Step]]:
    """The project, and where it stands. One query. Raises NotFound.

    A step counts as done when a later one is: who trained on 40 photographs is not sent back for ten more.
    """
    rows = projects().annotate(**{f"reached_{name}": measure() for name, measure in _measures.items()})
    project = rows.filter(id=project_id).first()
    if project is None:
        raise NotFound
    found = {name: getattr(project, f"reached_{name}") for name in _measures}
    return project, _in_order(project, found)


def _in_order(project: Project, found: dict[str, Any]) -> list[Step]:
    reached = {
        "upload": project.image_count >= ENOUGH,
        "label": project.labelled_count >= ENOUGH,
        "snapshot": bool(found.get("snapshot")),
        "run": found.get("run") in (*Job.ACTIVE, Job.State.SUCCEEDED),
        "model": found.get("model") is not None,
        "promote": found.get("promote") is not None,
    }
    names = list(reached)
    last = max((place for place, name in enumerate(names) if reached[name]), default=-1)
    return [
        Step(name, "done" if place <= last else "next" if place == last + 1 else "later", found.get(name))
        for place, name in enumerate(names)
    ]


def newest_snapshot() -> Any:
    """The number of the newest snapshot that is READY."""
    ready = Snapshot.objects.filter(project_id=OuterRef("id"), status=Snapshot.Status.READY)
    return Subquery(ready.order_by("-id").values("number")[:1])
