"""Exports: a snapshot as a zip that other tools read."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from projects.models.snapshots import Snapshot
from tenants.fields import TenantForeignKey
from tenants.models import Job, Member, TenantModel


class SnapshotExport(TenantModel):
    """One zip of a snapshot's images and boxes, made by a job and kept for some days."""

    class Status(models.TextChoices):
        """BUILDING → READY | FAILED; READY → EXPIRED when its time is over, or an image of its project was deleted.

        At most one of a snapshot and format is BUILDING or READY.
        """

        BUILDING = "BUILDING"
        READY = "READY"
        FAILED = "FAILED"
        EXPIRED = "EXPIRED"

    class Format(models.TextChoices):
        COCO = "COCO"
        VOC = "VOC"
        YOLO = "YOLO"

    snapshot = TenantForeignKey(Snapshot, related_name="exports")
    format = models.CharField(max_length=4, choices=Format.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.BUILDING)
    job = TenantForeignKey(Job, null=True, related_name="+")
    # Of the zip: bytes and hash, which is in its object's key.
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="")
    # Images in the zip, and those of the snapshot that were deleted before it was made.
    image_count = models.PositiveIntegerField(default=0)
    missing_count = models.PositiveIntegerField(default=0)
    error = models.JSONField(null=True)
    created_by = TenantForeignKey(Member, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ready_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "snapshot", "format"],
                condition=Q(status__in=["BUILDING", "READY"]),
                name="export_active_unique",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["BUILDING", "READY", "FAILED", "EXPIRED"]), name="export_status_valid"
            ),
            models.CheckConstraint(condition=Q(format__in=["COCO", "VOC", "YOLO"]), name="export_format_valid"),
            # Nothing is half-published.
            models.CheckConstraint(
                condition=~Q(status="READY") | (~Q(sha256="") & Q(size__gt=0, ready_at__isnull=False)),
                name="export_ready_whole",
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "snapshot", "-id"], name="export_list")]
