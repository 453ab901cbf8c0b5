"""Images, content-addressed, and the classes they show."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from projects.models.projects import DefectClass, Project
from tenants.fields import TenantForeignKey
from tenants.models import Job, TenantModel


class Image(TenantModel):
    """One photograph, from its registration on. Only READY ones count for anything but uploading."""

    class Status(models.TextChoices):
        """AWAITING (registered, bytes to come) → ARRIVED (in S3, ingest asked for) → READY | FAILED.

        Registering a FAILED image's bytes again makes it AWAITING.
        """

        AWAITING = "AWAITING"
        ARRIVED = "ARRIVED"
        READY = "READY"
        FAILED = "FAILED"

    class Split(models.TextChoices):
        TRAIN = "TRAIN"
        VALIDATION = "VALIDATION"
        TEST = "TEST"

    project = TenantForeignKey(Project, related_name="images")
    filename = models.CharField(max_length=255)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.AWAITING)
    # Of the bytes as the customer has them, and of what we keep after orienting and stripping.
    sha256 = models.CharField(max_length=64)
    stored_sha256 = models.CharField(max_length=64, default="")
    thumbnail_sha256 = models.CharField(max_length=64, default="")
    content_type = models.CharField(max_length=20)
    stored_type = models.CharField(max_length=20, default="")
    # Bytes as uploaded.
    size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    # 64-bit difference hash, hexadecimal: few differing bits mean look-alikes.
    near_hash = models.CharField(max_length=16, default="")
    metadata = models.JSONField(default=dict)
    # Look-alikes of one group (part, board, position) fall into one split; empty: the image is its own group.
    group = models.CharField(max_length=200, blank=True, default="")
    split = models.CharField(max_length=10, choices=Split.choices)
    split_pinned = models.BooleanField(default=False)
    multipart_id = models.CharField(max_length=512, default="")
    job = TenantForeignKey(Job, null=True)
    # The annotation that is the ground truth; none: not labelled yet.
    accepted = TenantForeignKey("projects.Annotation", null=True, related_name="+")
    error = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "project", "sha256"], condition=Q(deleted_at=None), name="image_content_unique"
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "project", "stored_sha256"],
                condition=Q(deleted_at=None, status="READY"),
                name="image_stored_unique",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["AWAITING", "ARRIVED", "READY", "FAILED"]), name="image_status_valid"
            ),
            models.CheckConstraint(condition=Q(split__in=["TRAIN", "VALIDATION", "TEST"]), name="image_split_valid"),
            # A ready image is whole: nothing is half-published.
            models.CheckConstraint(
                condition=~Q(status="READY")
                | (Q(width__gt=0, height__gt=0) & ~Q(stored_sha256="") & ~Q(thumbnail_sha256="") & Q(error=None)),
                name="image_ready_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "project", "-id"], condition=Q(deleted_at=None), name="image_list"),
            models.Index(fields=["tenant_id", "job"], name="image_job"),
            models.Index(
                fields=["tenant_id", "project", "-id"],
                condition=Q(deleted_at=None, status="READY", accepted__isnull=False),
                name="image_labelled",
            ),
        ]


class ImageClass(TenantModel):
    """This image shows this class, as its annotations or, before there are any, its upload say."""

    image = TenantForeignKey(Image, related_name="shown_classes")
    defect_class = TenantForeignKey(DefectClass, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "image", "defect_class"], name="image_class_unique"),
        ]
        indexes = [models.Index(fields=["tenant_id", "defect_class", "image"], name="image_class_lookup")]
