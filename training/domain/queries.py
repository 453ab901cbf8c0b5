"""Reads of the current tenant's runs and models. The doors for ids that users supply."""

import uuid

from django.db.models import OuterRef, QuerySet, Subquery

from projects.domain.queries import project_named
from tenants.refusals import NotFound
from training.models import Evaluation, Model, Run


def runs(project_id: uuid.UUID) -> QuerySet[Run]:
    """The project's runs with their jobs, and as `model_id` what each published. Raises NotFound."""
    return _with_outcome(Run.objects.filter(project=project_named(project_id))).defer("checkpoints", "curve")


def run_named(run_id: uuid.UUID) -> Run:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    rows = _with_outcome(Run.objects.filter(id=run_id, project__deleted_at=None))
    run = rows.select_related("snapshot", "project", "created_by__user").first()
    if run is None:
        raise NotFound
    return run


def models(project_id: uuid.UUID) -> QuerySet[Model]:
    """The project's models with their evaluations. Raises NotFound."""
    found = Model.objects.filter(project=project_named(project_id))
    return found.defer("lineage").prefetch_related("evaluations")


def model_named(model_id: uuid.UUID) -> Model:
    """Raises NotFound when it, or its project, is missing, deleted, or another tenant's."""
    rows = Model.objects.filter(id=model_id, project__deleted_at=None).select_related("snapshot", "project")
    model = rows.prefetch_related("evaluations").first()
    if model is None:
        raise NotFound
    return model


def comparable_models(model: Model) -> QuerySet[Model]:
    """The project's other models that were judged on the same images, newest first."""
    same = Model.objects.filter(
        project_id=model.project_id, snapshot__manifest_sha256=model.snapshot.manifest_sha256
    ).exclude(id=model.id)
    return same.only("id", "number", "recipe", "tenant_id").order_by("-id")


def served_model_named(model_id: uuid.UUID) -> Model:
    """The model without what predicting does not need: lineage, snapshot, evaluations. Raises NotFound as the other."""
    model = Model.objects.filter(id=model_id, project__deleted_at=None).defer("lineage").first()
    if model is None:
        raise NotFound
    return model


def evaluation_of(model: Model) -> Evaluation | None:
    """The model's evaluation on the snapshot that it learnt from."""
    for evaluation in model.evaluations.all():
        if evaluation.snapshot_id == model.snapshot_id:
            return evaluation
    return None


def newest_run_state() -> Subquery:
    """The state of the newest run's job, as an expression over a project's row."""
    return Subquery(Run.objects.filter(project_id=OuterRef("id")).order_by("-id").values("job__state")[:1])


def newest_model() -> Subquery:
    """The id of the newest model, as an expression over a project's row."""
    return Subquery(Model.objects.filter(project_id=OuterRef("id")).order_by("-id").values("id")[:1])


def _with_outcome(rows: QuerySet[Run]) -> QuerySet[Run]:
    published = Model.objects.filter(run_id=OuterRef("id"))
    jobs = rows.select_related("job").defer("job__spec", "job__traceback")
    return jobs.annotate(model_id=Subquery(published.values("id")[:1]))
