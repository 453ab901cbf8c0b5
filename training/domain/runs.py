"""Runs: asked for, cancelled, and what one leaves behind when it ends well."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from projects.domain.manifests import Manifest, SnapshotNotReady
from projects.domain.queries import project_named
from projects.models import Project, Snapshot
from tenants import audit, jobs
from tenants.ids import uuid7
from tenants.models import Job
from tenants.permissions import Principal
from tenants.refusals import NotFound, Refusal
from training.domain.queries import run_named
from training.domain.recipes import recipe_named
from training.models import Evaluation, Model, Run

TRAIN = "train"
# Of an anomaly project: as training.vision.image_tasks, which needs torch, has it.
LEAST_GOOD = 5


class NoSnapshot(Refusal):
    code = "no_snapshot"
    title = "There is nothing to learn from yet"

    def __init__(self, *, building: bool) -> None:
        super().__init__(
            "The project has no snapshot that is READY.",
            hint="Wait for the one that is being made."
            if building
            else "Annotate images, then create a snapshot (POST /api/v1/projects/{id}/snapshots).",
        )


class NoBoxes(Refusal):
    code = "no_boxes"
    title = "There is nothing to learn from yet"

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(
            f"No image of snapshot {snapshot.number} shows a defect: it holds no boxes.",
            hint="Draw boxes on a few images of each class, and create another snapshot.",
        )


class OneClass(Refusal):
    code = "one_class"
    title = "There is nothing to tell apart yet"

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(
            f"All images of snapshot {snapshot.number} show the same, so there is nothing to tell apart.",
            hint="Annotate images of another class, or good ones, and create another snapshot.",
        )


class TooFewGood(Refusal):
    code = "too_few_good_images"
    title = "There is too little to learn from yet"

    def __init__(self, snapshot: Snapshot, good: int) -> None:
        super().__init__(
            f"Snapshot {snapshot.number} holds {good} good images; what good looks like is learnt from at least"
            f" {LEAST_GOOD}.",
            hint="Say of more images that they show no defect (about 50 make a useful model), and create another"
            " snapshot.",
        )


class TooFewImages(Refusal):
    code = "too_few_images"
    title = "There is too little to learn from yet"

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(
            f"Snapshot {snapshot.number} holds {snapshot.image_count} image; a run needs at least 2, to learn from"
            " some and be judged on others.",
            hint="Annotate more images (about 50 make a useful model), and create another snapshot.",
        )


class ProjectGone(Exception):
    """The project was deleted while the run was computed."""


@dataclass(frozen=True)
class Artifacts:
    """The stored files of a model that is to be published, and the bytes of its weights."""

    weights_sha256: str
    description_sha256: str
    parity_sha256: str
    predictions_sha256: str
    size: int


def start_run(
    *, project_id: uuid.UUID, by: Principal, snapshot_id: uuid.UUID | None = None, recipe: str = "fast", seed: int = 0
) -> Run:
    """Asks for a training on the snapshot named, or else the newest that is READY.

    Raises NotFound, Invalid (an unknown recipe), RecipeNotForKind, NoSnapshot, SnapshotNotReady or, from the snapshot's
    counts, NoBoxes, OneClass, TooFewGood or TooFewImages.
    """
    project = project_named(project_id, lock=True)  # numbers are given in turn
    chosen = recipe_named(recipe, kind=project.kind)
    snapshot = _snapshot(project, snapshot_id)
    _refuse_too_little(project, snapshot)
    last = Run.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    run_id = uuid7()
    job, _ = jobs.enqueue(kind=TRAIN, key=str(run_id), spec={"run": str(run_id)})
    run = Run.objects.create(
        id=run_id,
        project=project,
        number=last + 1,
        snapshot=snapshot,
        recipe=chosen.name,
        recipe_version=chosen.version,
        seed=seed,
        job=job,
        created_by_id=by.member_id,
    )
    audit.record("run.started", by=by, target=run.id, number=run.number, snapshot=str(snapshot.id), recipe=recipe)
    return run_named(run.id)


def cancel_run(*, run_id: uuid.UUID, by: Principal) -> Run:
    """Cancels a run: at once while it waits, within seconds while it is computed. An ended one stays as it ended.

    Raises NotFound.
    """
    before = run_named(run_id)
    job = jobs.cancel(job_id=before.job_id)
    if before.job.cancel_requested_at is None and job.cancel_requested_at is not None:
        audit.record("run.canceled", by=by, target=run_id, number=before.number)
    return run_named(run_id)


def warnings(run: Run) -> list[dict[str, str]]:
    """What its customer should know of the classes that the run learns; from good images alone it learns none."""
    found: list[dict[str, str]] = []
    if run.project.kind == Project.Kind.ANOMALY:
        return found
    thing = "box" if run.project.takes_boxes else "image"
    for label in run.snapshot.classes:
        if label["boxes"] < 2:
            some = f"one {thing}" if label["boxes"] else f"no {thing}"
            message = f"The class {label['name']!r} has {some} in this snapshot: it will hardly be found."
            hint = "Annotate at least ten, on different images, or delete the class; then create another snapshot."
            found.append({"code": "class_too_small", "message": message, "hint": hint, "class": str(label["id"])})
    return found


def finish_run(
    *, run: Run, manifest: Manifest, value: Mapping[str, Any], stored: Artifacts, lineage: Mapping[str, Any]
) -> Model:
    """Publishes the model and its evaluation, both or neither; call it while the lease is held (`publishing`).

    `value` is what the computation says of its model (`training.engine` documents it).
    Raises ProjectGone when the project was deleted meanwhile.
    """
    project = Project.objects.select_for_update().filter(id=run.project_id, deleted_at=None).first()
    if project is None:
        raise ProjectGone
    last = Model.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    model = Model.objects.create(
        project=project,
        number=last + 1,
        run=run,
        snapshot_id=run.snapshot_id,
        recipe=value["recipe"]["name"],  # what `auto` chose
        classes=_classes(manifest, value["classes"]),
        backbone=value["backbone"],
        backbone_sha256=value["backbone_sha256"],
        long_side=value["long_side"],
        weights_sha256=stored.weights_sha256,
        description_sha256=stored.description_sha256,
        parity_sha256=stored.parity_sha256,
        size=stored.size,
        lineage=dict(lineage),
    )
    Evaluation.objects.create(
        model=model,
        snapshot_id=run.snapshot_id,
        method=value["method"],
        folds=value["folds"],
        image_count=value["images"],
        box_count=value["boxes"],
        metrics=_metrics(manifest, value["metrics"]),
        predictions_sha256=stored.predictions_sha256,
    )
    audit.record("model.published", by=None, target=model.id, number=model.number, run=str(run.id))
    return model


def _snapshot(project: Project, snapshot_id: uuid.UUID | None) -> Snapshot:
    rows = Snapshot.objects.filter(project=project)
    if snapshot_id is not None:
        snapshot = rows.filter(id=snapshot_id).first()
        if snapshot is None:
            raise NotFound
        if snapshot.status != Snapshot.Status.READY:
            raise SnapshotNotReady(snapshot)
    else:
        snapshot = rows.filter(status=Snapshot.Status.READY).order_by("-number").first()
        if snapshot is None:
            waiting = rows.filter(status=Snapshot.Status.BUILDING, job__state__in=Job.ACTIVE)
            raise NoSnapshot(building=waiting.exists())
    return snapshot


def _refuse_too_little(project: Project, snapshot: Snapshot) -> None:
    """By what the project's kind learns from; each image that is not good has one box where boxes are not drawn."""
    good = snapshot.image_count - snapshot.box_count
    if project.takes_boxes and not snapshot.box_count:
        raise NoBoxes(snapshot)
    if project.kind == Project.Kind.ANOMALY and good < LEAST_GOOD:
        raise TooFewGood(snapshot, good)
    if snapshot.image_count < 2:
        raise TooFewImages(snapshot)
    if project.kind == Project.Kind.CLASSIFICATION:
        shown = sum(bool(label["boxes"]) for label in snapshot.classes)
        if shown + bool(good) < 2:
            raise OneClass(snapshot)


def _classes(manifest: Manifest, outputs: Sequence[str]) -> list[dict[str, str | None]]:
    """The label book's, and what else the model tells apart: good images, which are of no class."""
    known: list[dict[str, str | None]] = [{"id": str(label.id), "name": label.name} for label in manifest.classes]
    return [*known, *({"id": None, "name": name} for name in outputs[len(known) :])]


def _metrics(manifest: Manifest, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Classes by id and name instead of by place."""
    names = _classes(manifest, [given["name"] for given in measured["classes"]])
    classes = [
        name | {key: value for key, value in given.items() if key not in ("index", "name")}
        for name, given in zip(names, measured["classes"], strict=True)
    ]
    return {**measured, "classes": classes}
