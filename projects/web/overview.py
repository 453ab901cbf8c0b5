"""What the page of one project shows: where it stands, its counters, and its label book."""

import uuid
from typing import Any

from projects.api.serializers import ClassSerializer, ProjectSerializer
from projects.domain import milestones
from projects.domain.classes import COLORS
from projects.domain.examples import classes_with_examples
from projects.domain.images import thumbnail_addresses
from projects.domain.milestones import ENOUGH, Step
from projects.domain.statistics import image_counts
from projects.models import DefectClass, Image, Project
from tenants.models import Job
from tenants.permissions import Principal
from tenants.web.forms import tag_of

EXAMPLES = 4
# Title, and the page where the step is done.
_STEPS = {
    "upload": ("Upload photographs", "upload"),
    "label": ("Label the defects", "images"),
    "snapshot": ("Freeze a snapshot", "snapshots"),
    "run": ("Train", "runs"),
    "model": ("Look at the model", "models"),
    "promote": ("Promote it", "models"),
}
_RUN_WORDS = {
    Job.State.SUCCEEDED: "The last run is done",
    Job.State.RUNNING: "Learning now",
    Job.State.FAILED: "The last run failed: see why",
    Job.State.CANCELED: "The last run was canceled",
}


def overview(project_id: uuid.UUID) -> dict[str, Any]:
    """The page's context, without the examples' addresses. Raises NotFound."""
    project, steps = milestones.steps(project_id=project_id)
    counts = image_counts(project)
    book, examples = classes_with_examples(project, each=EXAMPLES)
    most = max((label.box_count for label in book), default=0)
    return {
        "project": project,
        "part": "overview",
        "seen": tag_of(project, ProjectSerializer),
        "steps": [_step(step, project) for step in steps],
        "book": [_entry(label, examples[label.id], most) for label in book],
        "box_count": sum(label.box_count for label in book),
        "next_color": COLORS[len(book) % len(COLORS)],
        "failed": counts.by_status[Image.Status.FAILED],
        "awaited": counts.by_status[Image.Status.AWAITING],
        "unlabelled": counts.unlabelled,
        "splits": split_bar(counts.by_split),
    }


def sign_examples(context: dict[str, Any], *, by: Principal) -> None:
    """Adds the addresses of the examples' thumbnails; no scope is open."""
    images = [example["image"] for entry in context["book"] for example in entry["examples"]]
    addresses = thumbnail_addresses(images, by=by)
    for entry in context["book"]:
        for example in entry["examples"]:
            example["address"] = addresses[example["image"].id]


def _entry(label: DefectClass, examples: list[Image], most: int) -> dict[str, Any]:
    return {
        "label": label,
        "seen": tag_of(label, ClassSerializer),
        "examples": [{"image": image, "address": ""} for image in examples],
        # Percent of the class with the most boxes.
        "share": round(100 * label.box_count / most) if most else 0,
    }


def _step(step: Step, project: Project) -> dict[str, Any]:
    title, page = _STEPS[step.name]
    return {"name": step.name, "title": title, "page": page, "state": step.state, "words": _words(step, project)}


def _words(step: Step, project: Project) -> str:
    if step.name == "upload":
        return f"{project.image_count} of {ENOUGH}" if project.image_count < ENOUGH else f"{project.image_count} images"
    if step.name == "label":
        done = project.labelled_count
        return f"{done} of {ENOUGH}" if done < ENOUGH else f"{done} labelled"
    if step.name == "snapshot":
        return f"Snapshot {step.found}" if step.found else "None yet"
    if step.name == "run":
        return _RUN_WORDS.get(step.found, "Waits for a worker") if step.found else "Not trained yet"
    if step.name == "model":
        return "See its figures" if step.found else "None yet"
    return "A model answers" if step.found else "No model answers yet"


def split_bar(by_split: dict[str, int]) -> list[dict[str, Any]]:
    """A stacked bar: of each split its share of a hundred, and where it begins."""
    total, at, parts = sum(by_split.values()), 0.0, []
    for split, label in Image.Split.choices:
        share = 100 * by_split[split] / total if total else 0.0
        part = {"value": split, "label": label, "count": by_split[split], "at": f"{at:.2f}", "share": f"{share:.2f}"}
        parts.append(part)
        at += share
    return parts
