"""The handler of an export's job: a model's parts become one self-contained ONNX file that a child has built."""

import uuid
from typing import Any

from django.conf import settings

from tenants import audit
from tenants.jobs import JobContext, JobFailed
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from training.domain.artifacts import (
    DESCRIPTION,
    EXPORT_MANIFEST,
    ONNX,
    PARITY,
    WEIGHTS,
    read_artifact,
    store_artifact,
)
from training.domain.computing import Computation, Computer, Outcome, Part, Report
from training.domain.models import EXPORT
from training.domain.queries import evaluation_of
from training.models import Model
from training.runner import failing


def export(context: JobContext) -> dict[str, Any]:
    """Handles a job of kind `export`: its spec names the model."""
    model, described = _asked_for(context)
    if model.export is not None:
        # An earlier attempt published, and died before it could say so.
        return {"model": str(model.id), **model.export}
    storage = TenantStorage(context.tenant_id)
    outcome = _build(context, storage, model, described)
    context.check()
    exported = {
        "onnx_sha256": _put(context, storage, ONNX, outcome),
        "onnx_size": len(outcome.files[ONNX]),
        "manifest_sha256": _put(context, storage, EXPORT_MANIFEST, outcome),
    }
    with context.publishing():
        Model.objects.filter(id=model.id).update(export=exported)
        audit.record("model.exported", by=None, target=model.id, number=model.number)
    return {"model": str(model.id)} | exported


def _asked_for(context: JobContext) -> tuple[Model, dict[str, Any]]:
    """The model, and what the exported manifest says of it."""
    with tenant_scope(context.tenant_id):
        rows = Model.objects.select_related("snapshot", "project")
        model = rows.filter(id=uuid.UUID(context.spec["model"]), project__deleted_at=None).first()
        if model is None:
            raise JobFailed("not_found", "The model is not there any more.", hint="Export another one.")
        evaluation = evaluation_of(model)
        described = {
            "id": str(model.id),
            "number": model.number,
            "project": {"id": str(model.project_id), "name": model.project.name},
            "classes": model.classes,
            "recipe": model.recipe,
            "backbone": model.backbone,
            "backbone_sha256": model.backbone_sha256,
            "long_side": model.long_side,
            "weights_sha256": model.weights_sha256,
            "snapshot": {"id": str(model.snapshot_id), "manifest_sha256": model.snapshot.manifest_sha256},
            "evaluation": {"method": evaluation.method, "metrics": evaluation.metrics} if evaluation else None,
            "created_at": model.created_at.isoformat(),
        }
    return model, described


def _build(context: JobContext, storage: TenantStorage, model: Model, described: dict[str, Any]) -> Outcome:
    files = {}
    hashes = {WEIGHTS: model.weights_sha256, DESCRIPTION: model.description_sha256, PARITY: model.parity_sha256}
    computer: Computer = context.children.engine

    def show(report: Report) -> None:
        context.progress(report.done, report.total, report.message)

    def drop(part: Part) -> None:
        """An export is short: it begins again."""

    with failing():
        for name, sha256 in hashes.items():
            files[name] = context.scratch / name
            files[name].write_bytes(read_artifact(storage=storage, name=name, sha256=sha256))
        computation = Computation(
            operation=EXPORT,
            run_id=str(model.id),
            token=context.token,
            tenant_id=context.tenant_id,
            parameters={
                "kind": model.project.kind,
                "backbone_dir": str(settings.BACKBONE_DIR),
                "model": described,
                "threads": settings.ENGINE_THREADS,
            },
            files=files,
        )
        return computer.compute(computation, on_report=show, on_part=drop, should_stop=context.should_stop)


def _put(context: JobContext, storage: TenantStorage, name: str, outcome: Outcome) -> str:
    return store_artifact(storage=storage, name=name, data=outcome.files[name], folder=context.scratch)
