"""What a successful run publishes."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from projects.models import Project, Snapshot
from tenants.fields import TenantForeignKey
from tenants.models import TenantModel
from training.models.runs import Run


class Model(TenantModel):
    """A trained model's own part: its heads. With the shared backbone of `backbone_sha256` it is whole.

    Files lie in S3 at the address of their own bytes; a file that does not match its hash is not used.
    """

    project = TenantForeignKey(Project, related_name="models")
    # 1, 2, … within the project.
    number = models.PositiveIntegerField()
    run = TenantForeignKey(Run, related_name="+")
    snapshot = TenantForeignKey(Snapshot, related_name="+")
    recipe = models.CharField(max_length=40)
    # [{"id", "name"}]: what the model's class numbers mean. Without an id: good images, which are of no class.
    classes = models.JSONField()
    backbone = models.CharField(max_length=40)
    backbone_sha256 = models.CharField(max_length=64)
    # Longer side of the resized image, in pixels.
    long_side = models.PositiveIntegerField()
    # heads.safetensors, model.json, and parity images with the answers expected of them.
    weights_sha256 = models.CharField(max_length=64)
    description_sha256 = models.CharField(max_length=64)
    parity_sha256 = models.CharField(max_length=64)
    # Bytes of the weights.
    size = models.PositiveBigIntegerField()
    # Everything the weights came from: manifest, seed, fingerprint, code, libraries, hardware.
    lineage = models.JSONField()
    # {"onnx_sha256", "onnx_size", "manifest_sha256"} once somebody asked for the merged file.
    export = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "project", "number"], name="model_number_unique"),
            models.UniqueConstraint(fields=["tenant_id", "run"], name="model_run_unique"),
        ]
        indexes = [models.Index(fields=["tenant_id", "project", "-id"], name="model_list")]


class Evaluation(TenantModel):
    """How good a model is on a snapshot, with 95 % intervals by bootstrap over images."""

    class Method(models.TextChoices):
        """OUT_OF_FOLD: each image judged by a sibling that did not learn from its group, the model learnt from all.
        TEST_SPLIT: the model itself, on the images of the test split."""

        OUT_OF_FOLD = "OUT_OF_FOLD"
        TEST_SPLIT = "TEST_SPLIT"

    model = TenantForeignKey(Model, related_name="evaluations")
    snapshot = TenantForeignKey(Snapshot, related_name="+")
    method = models.CharField(max_length=11, choices=Method.choices)
    folds = models.PositiveSmallIntegerField(default=0)
    image_count = models.PositiveIntegerField()
    box_count = models.PositiveIntegerField()
    # {"ap50": {"value", "low", "high"}, "ap": {…}, "classes": [{"id", "name", "images", "boxes", "ap50", "ap"}]};
    # of the other kinds {"kind", …} as `training.vision.image_runs` has them, with the classes' ids. An interval is
    # null where there is nothing to measure.
    metrics = models.JSONField()
    # JSON of every prediction and truth, by image: what galleries and comparisons are made from.
    predictions_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "model", "snapshot"], name="evaluation_unique"),
            models.CheckConstraint(
                condition=Q(method__in=["OUT_OF_FOLD", "TEST_SPLIT"]), name="evaluation_method_valid"
            ),
        ]
