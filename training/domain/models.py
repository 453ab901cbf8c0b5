"""Models: exported, and where their files are."""

import uuid
from typing import Literal

from tenants import audit, jobs
from tenants.models import Job
from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from training.domain.artifacts import CONTENT_TYPES, EXPORT_MANIFEST, ONNX, PREDICTIONS, artifact_key
from training.domain.queries import evaluation_of, model_named
from training.models import Evaluation, Model

EXPORT = "export"
# Which of a model's files a customer fetches, and how it is called.
File = Literal["predictions", "onnx", "manifest"]


class ExportMissing(Refusal):
    code = "export_missing"
    title = "The model has not been exported"

    def __init__(self) -> None:
        super().__init__(
            "There is no exported file of this model yet.",
            hint="Ask for it (POST /api/v1/models/{id}/export), and wait for its job.",
        )


class NoEvaluation(Refusal):
    code = "no_evaluation"
    title = "The model has no evaluation"

    def __init__(self, model: Model) -> None:
        super().__init__(f"Model {model.number} has not been evaluated.", hint="Train the snapshot again.")


class NotForKind(Refusal):
    code = "not_for_kind"
    title = "Not for this kind of model"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"This looks at boxes, one by one; a model of kind {kind} judges whole images.",
            hint="Its figures are in its evaluation (GET /api/v1/models/{id}), and what it said of each image in its"
            " predictions.",
        )


def export_model(*, model_id: uuid.UUID, by: Principal) -> tuple[Model, Job | None]:
    """Asks for the model as one self-contained ONNX file. No job when there is one already. Raises NotFound."""
    model = model_named(model_id)
    if model.export is not None:
        return model, None
    job, new = jobs.enqueue(kind=EXPORT, key=str(model.id), spec={"model": str(model.id)})
    if new:
        audit.record("model.export_asked", by=by, target=model.id, number=model.number)
    return model, job


def export_job(model: Model) -> Job | None:
    """The newest job that makes, or should have made, the model's exported file; None before the first."""
    # Ids go by time: only the jobs since the model was published are walked.
    since = Job.objects.filter(id__gt=model.id, kind=EXPORT, key=str(model.id))
    return since.defer("spec", "traceback").order_by("-id").first()


def require_evaluation(model: Model) -> Evaluation:
    """The model's evaluation on the snapshot that it learnt from. Raises NoEvaluation."""
    evaluation = evaluation_of(model)
    if evaluation is None:
        raise NoEvaluation(model)
    return evaluation


def require_boxes(model: Model) -> None:
    """Raises NotForKind for a model that judges whole images. `model` came with its project."""
    if not model.project.takes_boxes:
        raise NotForKind(model.project.kind)


def file_address(*, model_id: uuid.UUID, which: File, by: Principal) -> str:
    """A short-lived address of one of its files. Opens the scope itself.

    Raises NotFound, NoEvaluation, or ExportMissing.
    """
    with tenant_scope(by.tenant_id):
        model = model_named(model_id)
        sha256, name = _file(model, which)
    return TenantStorage(by.tenant_id).presign_download(artifact_key(sha256), content_type=CONTENT_TYPES[name])


def _file(model: Model, which: File) -> tuple[str, str]:
    if which == "predictions":
        return require_evaluation(model).predictions_sha256, PREDICTIONS
    if model.export is None:
        raise ExportMissing
    if which == "onnx":
        return model.export["onnx_sha256"], ONNX
    return model.export["manifest_sha256"], EXPORT_MANIFEST
