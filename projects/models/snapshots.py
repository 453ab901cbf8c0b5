"""Snapshots: what was labelled, frozen under a hash."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from projects.models.projects import Project
from tenants.fields import TenantForeignKey
from tenants.models import Job, Member, TenantModel


class Snapshot(TenantModel):
    """An immutable, numbered version of a project's labelled data: a manifest in S3 and its SHA-256.

    BUILDING until its job has stored the manifest; what the counts say is then of the manifest.
    """

    class Status(models.TextChoices):
        BUILDING = "BUILDING"
        READY = "READY"
        FAILED = "FAILED"

    project = TenantForeignKey(Project, related_name="snapshots")
    # 1, 2, … within the project.
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=500, blank=True, default="")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.BUILDING)
    job = TenantForeignKey(Job, null=True, related_name="+")
    # Both files are stored at the address of their own bytes.
    manifest_sha256 = models.CharField(max_length=64, default="")
    coco_sha256 = models.CharField(max_length=64, default="")
    image_count = models.PositiveIntegerField(default=0)
    box_count = models.PositiveIntegerField(default=0)
    # [{"id", "name", "images", "boxes"}] in the order of the label book.
    classes = models.JSONField(default=list)
    # {"TRAIN": images, "VALIDATION": …, "TEST": …}
    splits = models.JSONField(default=dict)
    error = models.JSONField(null=True)
    created_by = TenantForeignKey(Member, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "project", "number"], name="snapshot_number_unique"),
            models.CheckConstraint(
                condition=Q(status__in=["BUILDING", "READY", "FAILED"]), name="snapshot_status_valid"
            ),
            models.CheckConstraint(
                condition=~Q(status="READY") | (~Q(manifest_sha256="") & ~Q(coco_sha256="")),
                name="snapshot_ready_whole",
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "project", "-id"], name="snapshot_list")]
