"""How runs, models and their comparison look in JSON. Inputs name all that can be set; the rest is not read."""

import uuid
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Project
from tenants import jobs
from tenants.models import Job
from training.domain.queries import evaluation_of
from training.domain.runs import warnings
from training.models import Evaluation, Model, Run


class RunInput(serializers.Serializer[Any]):
    snapshot = serializers.UUIDField(required=False, help_text="The newest that is READY unless told.")
    recipe = serializers.CharField(max_length=40, default="fast")
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)


class RunErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    hint = serializers.CharField()


class ProgressSerializer(serializers.Serializer[Any]):
    """How far it is; empty before it began. `losses` are the named parts of the loss at that moment."""

    done = serializers.FloatField(required=False)
    total = serializers.FloatField(required=False)
    message = serializers.CharField(required=False)
    losses = serializers.DictField(child=serializers.FloatField(), required=False)
    eta_seconds = serializers.IntegerField(required=False, allow_null=True)


class RunSerializer(serializers.ModelSerializer[Run]):
    project = serializers.UUIDField(source="project_id")
    snapshot = serializers.UUIDField(source="snapshot_id")
    job = serializers.UUIDField(source="job_id")
    state = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(source="job.started_at", allow_null=True)
    finished_at = serializers.DateTimeField(source="job.finished_at", allow_null=True)
    model = serializers.UUIDField(source="model_id", allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id")

    class Meta:
        model = Run
        fields: tuple[str, ...] = (
            *("id", "project", "number", "snapshot", "recipe", "recipe_version", "seed", "job", "state"),
            *("progress", "error", "model", "created_by", "created_at", "started_at", "finished_at"),
        )

    def get_state(self, run: Run) -> str:
        """Its job's, but for a run whose model is published: however its job ended then, the run succeeded."""
        published: uuid.UUID | None = run.model_id  # type: ignore[attr-defined]  # annotated by training.domain.queries
        return str(Job.State.SUCCEEDED if published else run.job.state)

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, run: Run) -> dict[str, Any] | None:
        """Why there is no model."""
        return None if run.model_id else run.job.error  # type: ignore[attr-defined]  # as above

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: Run) -> dict[str, Any]:
        """As its job keeps it."""
        return dict(run.job.progress)


class WarningSerializer(serializers.Serializer[Any]):
    """What to know of a class before its model is trusted."""

    code = serializers.CharField()
    message = serializers.CharField()
    hint = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        """With `class`, which cannot be an attribute's name."""
        return {**super().get_fields(), "class": serializers.UUIDField()}


class RunDetailSerializer(RunSerializer):
    """With what a list does not ask for row by row: place in the queue, seconds left, the curve, warnings."""

    queue_place = serializers.IntegerField(allow_null=True)
    eta_seconds = serializers.IntegerField(
        allow_null=True, help_text="Until it starts while it waits, until it ends while it runs."
    )
    curve = serializers.ListField(child=serializers.ListField(), help_text="[[step, {loss: value}], …], thinned.")
    warnings = WarningSerializer(many=True)

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "queue_place", "eta_seconds", "curve", "warnings")

    def to_representation(self, run: Run) -> dict[str, Any]:
        """Asks for the place once, for both figures."""
        waiting = jobs.forecast(run.job)
        running = run.job.progress.get("eta_seconds") if run.job.state == run.job.State.RUNNING else None
        return RunSerializer(run).data | {
            "queue_place": waiting.queue_place,
            "eta_seconds": waiting.eta_seconds if waiting.queue_place is not None else running,
            "curve": run.curve,
            "warnings": warnings(run),
        }


class IntervalSerializer(serializers.Serializer[Any]):
    """A measure with its 95 % interval; null where there is nothing to measure."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class ClassMetricsSerializer(serializers.Serializer[Any]):
    """Of DETECTION `boxes`, `ap50` and `ap`; of CLASSIFICATION `auroc`, `recall` and `precision`; of ANOMALY
    `detection_rate`."""

    id = serializers.UUIDField(allow_null=True, help_text="Null of good images, which are of no class.")
    name = serializers.CharField()
    images = serializers.IntegerField()
    boxes = serializers.IntegerField(required=False)
    ap50 = IntervalSerializer(required=False, allow_null=True)
    ap = IntervalSerializer(required=False, allow_null=True)
    auroc = IntervalSerializer(required=False, allow_null=True)
    recall = IntervalSerializer(required=False, allow_null=True)
    precision = IntervalSerializer(required=False, allow_null=True)
    detection_rate = IntervalSerializer(required=False, allow_null=True)


class MetricsSerializer(serializers.Serializer[Any]):
    """Of DETECTION `ap50` and `ap`; of CLASSIFICATION `accuracy`, `auroc`, `ece`, `log_loss` and `confusion`; of
    ANOMALY `auroc`, `false_alarm_rate`, `detection_rate` and what stands with the threshold."""

    kind = serializers.ChoiceField(choices=Project.Kind.choices)
    classes = ClassMetricsSerializer(many=True)
    ap50 = IntervalSerializer(required=False, allow_null=True)
    ap = IntervalSerializer(required=False, allow_null=True)
    accuracy = IntervalSerializer(required=False, allow_null=True)
    auroc = IntervalSerializer(
        required=False, allow_null=True, help_text="Of ANOMALY null where no defective image was judged."
    )
    ece = IntervalSerializer(required=False, allow_null=True, help_text="Expected calibration error.")
    log_loss = IntervalSerializer(required=False, allow_null=True)
    confusion = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        required=False,
        help_text="Images of the row's class that were told to be of the column's, in the order of `classes`.",
    )
    false_alarm_rate = IntervalSerializer(required=False, allow_null=True, help_text="Of good images.")
    detection_rate = IntervalSerializer(required=False, allow_null=True, help_text="Of defective images.")
    threshold = serializers.FloatField(required=False, help_text="From this score on an image is anomalous.")
    stated_false_alarm_rate = serializers.FloatField(required=False, help_text="What the threshold was set for.")
    good = serializers.IntegerField(required=False, help_text="Images that were judged.")
    defective = serializers.IntegerField(required=False, help_text="Images that were judged.")

    def to_representation(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """As they are stored; those of detectors do not say the kind."""
        return {"kind": Project.Kind.DETECTION.value} | metrics


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    snapshot = serializers.UUIDField(source="snapshot_id")
    metrics = MetricsSerializer()

    class Meta:
        model = Evaluation
        fields = ("id", "snapshot", "method", "folds", "image_count", "box_count", "metrics", "created_at")


class ModelClassSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True, help_text="Null of good images, which are of no class.")
    name = serializers.CharField()


class ModelSerializer(serializers.ModelSerializer[Model]):
    project = serializers.UUIDField(source="project_id")
    run = serializers.UUIDField(source="run_id")
    snapshot = serializers.UUIDField(source="snapshot_id")
    classes = ModelClassSerializer(many=True, help_text="In the order of the class numbers that the graph answers.")
    evaluation = serializers.SerializerMethodField()
    exported = serializers.SerializerMethodField()

    class Meta:
        model = Model
        fields: tuple[str, ...] = (
            *("id", "project", "number", "run", "snapshot", "recipe", "classes", "backbone", "long_side"),
            *("size", "weights_sha256", "evaluation", "exported", "created_at"),
        )

    @extend_schema_field(EvaluationSerializer(allow_null=True))
    def get_evaluation(self, model: Model) -> dict[str, Any] | None:
        """On the snapshot that it learnt from."""
        evaluation = evaluation_of(model)
        return None if evaluation is None else EvaluationSerializer(evaluation).data

    def get_exported(self, model: Model) -> bool:
        return model.export is not None


class ModelDetailSerializer(ModelSerializer):
    """With where it came from."""

    lineage = serializers.DictField()
    export = serializers.DictField(allow_null=True, help_text="onnx_sha256, onnx_size and manifest_sha256.")

    class Meta(ModelSerializer.Meta):
        fields = (*ModelSerializer.Meta.fields, "backbone_sha256", "lineage", "export")


class ExportSerializer(serializers.Serializer[Any]):
    model = serializers.UUIDField()
    job = serializers.UUIDField(allow_null=True, help_text="Null when the file is there already.")


class DifferenceSerializer(serializers.Serializer[Any]):
    """Both figures, how much more b scores, and the 95 % interval of that; null where there is nothing to measure."""

    a = serializers.FloatField(allow_null=True)
    b = serializers.FloatField(allow_null=True)
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class ClassComparisonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    ap50 = DifferenceSerializer()


class PricesInput(serializers.Serializer[Any]):
    """In any one currency; the defaults say that a missed defect costs a hundred times a false reject."""

    miss = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0, default=Decimal(100))
    false_reject = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0, default=Decimal(1))


class PointSerializer(serializers.Serializer[Any]):
    score = serializers.FloatField(help_text="A part is rejected when anything is found in it at this score or more.")
    defective = serializers.IntegerField(help_text="Evaluated images with at least one box.")
    escaped = serializers.IntegerField(help_text="Of those, the ones that pass.")
    escape_bound = serializers.FloatField(help_text="At most this share escapes, with 95 % confidence.")
    good = serializers.IntegerField()
    rejected = serializers.IntegerField(help_text="Of the good ones.")
    reject_bound = serializers.FloatField()


class MeasuredSerializer(serializers.Serializer[Any]):
    """Null where there is nothing to take a share of."""

    recall = serializers.FloatField(allow_null=True, help_text="Share of the class's boxes that are found.")
    precision = serializers.FloatField(allow_null=True, help_text="Share of what is found that is right.")


class OperatingSerializer(serializers.Serializer[Any]):
    model = serializers.UUIDField(source="model.id")
    cheapest = PointSerializer()
    points = PointSerializer(many=True)
    confusion = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="At the cheapest score, boxes of the row's class that were taken for one of the column's, in the"
        " model's order of classes; the last column counts those not found, the last row what was found in nothing.",
    )
    curves = serializers.ListField(
        child=MeasuredSerializer(many=True),
        help_text="For each class of the model, what holds at the score of each of `points`, at IoU 0.5.",
    )


class ComparisonSerializer(serializers.Serializer[Any]):
    a = serializers.UUIDField(source="a.id")
    b = serializers.UUIDField(source="b.id")
    images = serializers.IntegerField(help_text="Images that both were judged on.")
    verdict = serializers.ChoiceField(choices=["A_BETTER", "B_BETTER", "CANNOT_TELL"])
    ap50 = DifferenceSerializer()
    classes = ClassComparisonSerializer(many=True)
