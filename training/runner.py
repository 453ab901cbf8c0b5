"""The bridge from rows to a computation and back: the handler of a run's job.

No scope is open while S3 or a child works. A crash at any line leaves the run as it was, with the checkpoints stored
so far, or published whole: model and evaluation appear in one transaction that checks the lease.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from projects.domain.manifests import Manifest, load_manifest
from tenants.jobs import JobContext, JobFailed, Stopped
from tenants.models import Job
from tenants.refusals import Invalid, Refusal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from training.domain import inputs
from training.domain.artifacts import DESCRIPTION, PARITY, PREDICTIONS, WEIGHTS, store_artifact
from training.domain.checkpoints import RunCheckpoints
from training.domain.computing import (
    Computation,
    ComputationRefused,
    ComputationStopped,
    Computer,
    Outcome,
    Part,
    Report,
)
from training.domain.course import Course
from training.domain.recipes import RecipeNotForKind, recipe_named
from training.domain.runs import TRAIN, Artifacts, ProjectGone, finish_run
from training.models import Model, Run

logger = logging.getLogger(__name__)


def train(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `train`: its spec names the run."""
    run, model_id = _asked_for(context)
    storage = TenantStorage(context.tenant_id)
    checkpoints = RunCheckpoints.of(context, storage, run)
    try:
        if model_id is None:
            model_id = _train(context, storage, run, checkpoints)
    except JobFailed:
        checkpoints.give_up()
        raise
    except Stopped:
        # A drained worker's run goes on elsewhere; a canceled one does not.
        if _is_canceled(context):
            checkpoints.give_up()
        raise
    # Published is published: what S3 does not delete now must not undo it.
    checkpoints.give_up()
    return {"run": str(run.id), "model": str(model_id)}


def _asked_for(context: JobContext) -> tuple[Run, uuid.UUID | None]:
    """The run, and the model that an earlier attempt published before it died and could not say so."""
    run_id = uuid.UUID(context.spec["run"])
    with tenant_scope(context.tenant_id):
        run = Run.objects.select_related("snapshot").filter(id=run_id, project__deleted_at=None).first()
        if run is None:
            raise _gone()
        published = Model.objects.filter(run=run).values_list("id", flat=True).first()
    return run, published


def _train(context: JobContext, storage: TenantStorage, run: Run, checkpoints: RunCheckpoints) -> uuid.UUID:
    with failing():
        manifest = load_manifest(snapshot=run.snapshot, storage=storage)
    inputs.refuse_reduced(context, manifest)
    inputs.refuse_oversized(manifest)
    recipe = _recipe(run, manifest.kind)
    pixels = inputs.fetch_pixels(context, storage, manifest)
    parts = checkpoints.fetch()
    computation = Computation(
        operation=TRAIN,
        run_id=str(run.id),
        token=context.token,
        tenant_id=context.tenant_id,
        parameters=_parameters(run, manifest, recipe=recipe, checkpoints=sorted(parts)),
        files=pixels | {f"checkpoint-{name}": path for name, path in parts.items()},
    )
    course = Course.resumed(run.curve)
    outcome = _compute(context, computation, checkpoints, course)
    context.check()
    context.progress(course.total, course.total, "storing the model")
    stored, lineage = _store(context, storage, outcome), _lineage(run, recipe, outcome.value)
    with context.publishing():
        try:
            model = finish_run(run=run, manifest=manifest, value=outcome.value, stored=stored, lineage=lineage)
        except ProjectGone as error:
            raise _gone() from error
        Run.objects.filter(id=run.id).update(curve=course.curve)
    return model.id


def _recipe(run: Run, kind: str) -> dict[str, object]:
    """Everything the recipe says; a run asked for under another version of it is not computed under this one."""
    try:
        recipe = recipe_named(run.recipe, kind=kind)
    except (Invalid, RecipeNotForKind) as error:
        raise _recipe_changed(run) from error
    if recipe.version != run.recipe_version:
        raise _recipe_changed(run)
    return recipe.to_json()


def _recipe_changed(run: Run) -> JobFailed:
    return JobFailed(
        "recipe_changed",
        f"The recipe {run.recipe!r} was changed since the run was asked for (then version {run.recipe_version}).",
        hint="Start another run; it uses the recipe of today.",
    )


def _parameters(
    run: Run, manifest: Manifest, *, recipe: dict[str, object], checkpoints: list[str]
) -> dict[str, object]:
    """What `training.engine` documents for the operation `train`."""
    images = [
        {
            "file": inputs.file_name(image),
            "boxes": [[box.class_index, box.x, box.y, box.width, box.height] for box in image.boxes],
            "group": image.group,
            "split": image.split,
        }
        for image in manifest.images
    ]
    return {
        "kind": manifest.kind,
        "images": images,
        "classes": [label.name for label in manifest.classes],
        "recipe": recipe,
        "seed": run.seed,
        "backbone_dir": str(settings.BACKBONE_DIR),
        "checkpoints": checkpoints,
        "threads": settings.ENGINE_THREADS,
    }


def _compute(context: JobContext, computation: Computation, checkpoints: RunCheckpoints, course: Course) -> Outcome:
    computer: Computer = context.children.engine

    def show(report: Report) -> None:
        left = course.take(report)
        context.progress(report.done, report.total, report.message, losses=dict(report.losses), eta_seconds=left)

    def keep(part: Part) -> None:
        checkpoints.keep(part, curve=course.curve)

    with failing():
        return computer.compute(computation, on_report=show, on_part=keep, should_stop=context.should_stop)


@contextmanager
def failing() -> Iterator[None]:
    """What data or customer are to blame for ends the job with the words that came with it."""
    try:
        yield
    except Refusal as refusal:
        raise JobFailed(refusal.code, refusal.detail, hint=refusal.hint) from refusal
    except ComputationRefused as refused:
        logger.warning("a computation was refused: %s: %s %s", refused.code, refused.message, refused.detail)
        raise JobFailed(refused.code, refused.message, hint=refused.hint) from refused
    except ComputationStopped as stopped:
        raise Stopped from stopped


def _store(context: JobContext, storage: TenantStorage, outcome: Outcome) -> Artifacts:
    """Puts the artifacts at their addresses, where nothing names them until they are published."""
    stored = {
        name: store_artifact(storage=storage, name=name, data=outcome.files[name], folder=context.scratch)
        for name in (WEIGHTS, DESCRIPTION, PARITY, PREDICTIONS)
    }
    return Artifacts(
        weights_sha256=stored[WEIGHTS],
        description_sha256=stored[DESCRIPTION],
        parity_sha256=stored[PARITY],
        predictions_sha256=stored[PREDICTIONS],
        size=len(outcome.files[WEIGHTS]),
    )


def _lineage(run: Run, recipe: dict[str, object], value: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the weights came from."""
    return dict(value["lineage"]) | {
        "snapshot": str(run.snapshot_id),
        "manifest_sha256": run.snapshot.manifest_sha256,
        "recipe": recipe,
        "recipe_chosen": value["why"],
        "seed": run.seed,
        "fingerprint": value["fingerprint"],
        "backbone_sha256": value["backbone_sha256"],
        "seconds": value["seconds"],
        "version": settings.VERSION,
    }


def _is_canceled(context: JobContext) -> bool:
    with tenant_scope(context.tenant_id):
        return Job.objects.filter(id=context.job_id, cancel_requested_at__isnull=False).exists()


def _gone() -> JobFailed:
    return JobFailed("not_found", "The run's project is not there any more.", hint="Start a run in another project.")
